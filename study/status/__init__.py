"""How far a study is, from its store alone."""

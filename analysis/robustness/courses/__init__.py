"""The course of the searches: values against epochs, time and cost."""

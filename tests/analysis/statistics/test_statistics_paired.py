"""Tests and effects of arms that share seeds, against golden numbers, scipy and enumeration."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats
from statistics_golden import golden

from analysis.statistics.attainable import attainable_paired, attainable_unpaired
from analysis.statistics.multiplicity import adjust
from analysis.statistics.paired import (
    equivalence,
    hodges_lehmann,
    mean_difference,
    pair,
    paired_t,
    sign_flip,
    standardised_difference,
    wilcoxon,
)
from analysis.statistics.ranksums import signed_rank_null

RANDOM_SEARCH = golden("wilcoxon_holm_10seeds").inputs["scores"]["random"]
PC_DARTS = golden("wilcoxon_holm_10seeds").inputs["scores"]["pcdarts"]


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_wilcoxon_and_holm_match_golden() -> None:
    case = golden("wilcoxon_holm_10seeds")
    scores = {name: np.array(values) for name, values in case.inputs["scores"].items()}
    tests = {f"{a}|{b}": wilcoxon(scores[a] - scores[b]) for a, b in combinations(scores, 2)}
    assert {name: test.statistic for name, test in tests.items()} == case.approx("W")
    assert {name: test.p for name, test in tests.items()} == case.approx("p_raw")
    family = adjust([test.p for test in tests.values()])
    assert dict(zip(tests, family.p, strict=True)) == case.approx("p_holm")
    rejected = {name: p <= case.inputs["alpha"] for name, p in zip(tests, family.p, strict=True)}
    assert rejected == case.expected["reject_holm"]
    assert family.family == 6


def test_picked_tests_are_corrected_for_all_they_were_picked_from() -> None:
    p = np.random.default_rng(0).uniform(size=45) ** 3
    every, picked = adjust(p).p, adjust(np.sort(p)[:9], chosen_from=45)
    assert picked.family == 45 and (picked.p >= np.sort(every)[:9] - 1e-12).all()
    assert picked.p[0] == pytest.approx(45 * p.min())


def test_smallest_attainable_p_matches_golden() -> None:
    case = golden("wilcoxon_min_p")
    for n, m in product(case.inputs["n"], case.inputs["m"]):
        guard = attainable_paired(n, m)
        assert guard.smallest_p == case.approx("min_p_two_sided", str(n))
        assert guard.smallest_adjusted_p == case.approx("min_p_holm", f"{n}|{m}")
        assert guard.needed_n == case.expected["smallest_n_for_alpha05"][str(m)]
        one_sided = np.arange(1.0, n + 1)
        assert wilcoxon(one_sided).p == sign_flip(one_sided, generator()).p == guard.smallest_p
    scores = {name: np.array(v[:5]) for name, v in golden("wilcoxon_holm_10seeds").inputs["scores"].items()}
    raw = {f"{a}|{b}": wilcoxon(scores[a] - scores[b]).p for a, b in combinations(scores, 2)}
    assert dict(zip(raw, adjust(list(raw.values())).p, strict=True)) == case.approx("five_seed_example_p_holm")


def test_what_a_family_can_reach() -> None:
    guard = attainable_paired(5, 3)
    assert not guard.reachable and guard.needed_n == 7 and guard.smallest_adjusted_p == 3 * 2 / 2**5
    assert attainable_paired(6).reachable and not attainable_paired(6, alpha=0.01).reachable
    assert attainable_unpaired(3, 3).needed_n == 4 and not attainable_unpaired(3, 3).reachable
    assert attainable_unpaired(3, 5).smallest_p == pytest.approx(1 / 56)
    assert attainable_paired(7, 2, smallest_p=2 / 2**5).smallest_adjusted_p == 4 / 2**5


def test_paired_seed_tests_of_ten_seeds() -> None:
    differences = np.array(PC_DARTS) - np.array(RANDOM_SEARCH)
    mean = mean_difference(differences)
    assert (mean.estimate, mean.low, mean.high) == pytest.approx((0.293, -0.228, 0.814), abs=5e-4)
    assert paired_t(differences).p == pytest.approx(0.2348, abs=5e-5)
    assert sign_flip(differences, generator()).p == pytest.approx(0.2422, abs=5e-5)
    assert wilcoxon(differences).p == pytest.approx(0.2754, abs=5e-5)
    assert standardised_difference(differences) == pytest.approx(0.403, abs=5e-4)


def test_differences_of_few_digits_tie_where_they_should() -> None:
    case = golden("float_ties_in_paired_differences")
    raw = np.array(case.inputs["a"]) - np.array(case.inputs["b"])
    found = wilcoxon(raw)
    assert found.p == case.approx("p_rounded_auto")
    assert found.statistic == case.approx("W_rounded")
    differences = pair(range(8), case.inputs["a"], range(8), case.inputs["b"]).differences
    assert len(np.unique(np.abs(differences))) == case.expected["distinct_abs_rounded"]
    assert len(np.unique(np.abs(raw))) == case.expected["distinct_abs_raw"]
    assert stats.wilcoxon(raw).pvalue == case.approx("p_raw_auto")  # what rounding is for


def test_equivalence_matches_golden_and_the_90_percent_interval() -> None:
    case = golden("tost_equivalence")
    differences = np.array(case.inputs["a"]) - np.array(case.inputs["b"])
    found = equivalence(differences, case.inputs["margin"])
    assert found.p == case.approx("p_tost")
    assert found.p == case.approx("pingouin_p")
    assert (found.p_lower, found.p_upper) == (case.approx("p_lower"), case.approx("p_upper"))
    widest = mean_difference(differences + 0.1, level=0.9)
    margin = max(abs(widest.low), abs(widest.high))
    assert equivalence(differences + 0.1, margin).p == pytest.approx(0.05)


def test_holm_matches_golden() -> None:
    case = golden("multiple_testing_adjustments")
    assert adjust(case.inputs["p"]).p.tolist() == case.approx("holm")


def test_tests_that_could_not_be_made_are_no_part_of_the_family() -> None:
    found = adjust([0.01, np.nan, 0.04])
    assert found.family == 2
    np.testing.assert_allclose(found.p, [0.02, np.nan, 0.04])
    assert adjust([np.nan]).family == adjust([]).family == 0


def test_hodges_lehmann_matches_golden_and_turns_the_signed_rank_test_around() -> None:
    case = golden("hodges_lehmann_brunner_munzel")
    differences = np.array(case.inputs["a"]) - np.array(case.inputs["b"])
    found = hodges_lehmann(differences)
    assert found.estimate == case.approx("hl_shift")
    for bound in (found.low, found.high):
        outside = bound + 1e-3 * np.sign(bound - found.estimate)
        inside = bound - 1e-3 * np.sign(bound - found.estimate)
        assert wilcoxon(differences - outside).p <= 0.05 < wilcoxon(differences - inside).p
    assert np.isnan(hodges_lehmann(differences[:5]).low)
    assert np.isfinite(hodges_lehmann(differences[:6]).low)


@pytest.mark.parametrize("n", [1, 4, 9])
def test_signed_rank_null_is_the_enumeration(n: int) -> None:
    sums = np.array(list(product([0, 1], repeat=n))) @ np.arange(1, n + 1)
    expected = [(sums <= w).mean() for w in range(n * (n + 1) // 2 + 1)]
    np.testing.assert_allclose(signed_rank_null(n), expected)


def test_signed_rank_null_is_nearly_normal_where_it_is_taken_to_be() -> None:
    ways = np.ones(1)
    for rank in range(1, 52):
        ways = np.convolve(ways, [1, *np.zeros(rank - 1), 1])
    np.testing.assert_allclose(signed_rank_null(51), np.cumsum(ways) / 2.0**51, atol=2e-3)


@pytest.mark.parametrize("n", [2, 7, 11])
def test_sign_flip_is_the_enumeration_and_scipys(n: int) -> None:
    differences = generator(n).normal(0.5, 1, size=n).round(1)
    signs = np.array(list(product([-1, 1], repeat=n)))
    expected = (np.abs(signs @ differences) >= abs(differences.sum()) - 1e-9).mean()
    assert sign_flip(differences, generator()).p == expected
    theirs = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert expected == pytest.approx(theirs.pvalue)


def test_too_many_pairs_to_count_are_flipped_at_random() -> None:
    differences = generator().normal(0.02, 1, size=2_000)
    found = sign_flip(differences, generator())
    assert found.p == pytest.approx(paired_t(differences).p, abs=0.02)
    assert found.method.endswith("9999 random flips")
    assert sign_flip(differences, generator()) == found != sign_flip(differences, generator(1), resamples=501)
    far = sign_flip(differences + 0.1, generator())
    assert far.method.endswith("tail by saddlepoint")
    assert far.p == pytest.approx(paired_t(differences + 0.1).p, rel=0.1)
    assert sign_flip(np.ones(40), generator()).p == sign_flip(np.ones(40), generator()).smallest_p == 2 / 2**40


def test_pairs_are_matched_by_seed_and_the_rest_is_counted() -> None:
    pairs = pair([3, 1, 2, 9], [30.0, 10.0, np.nan, 90.0], [1, 2, 3, 4], [1.0, 2.0, 3.0, 4.0])
    assert pairs.seeds.tolist() == [1, 3]
    assert pairs.differences.tolist() == [9.0, 27.0]
    assert pairs.dropped == 3
    with pytest.raises(ValueError, match="one value a seed"):
        pair([1, 1], [0.0, 1.0], [1, 2], [0.0, 1.0])


def test_equal_arms_differ_in_no_test_and_equal_differences_leave_t_undefined() -> None:
    nothing, same = np.zeros(7), np.full(7, 0.4)
    for test in (sign_flip(nothing, generator()), paired_t(nothing), wilcoxon(nothing)):
        assert test.p == 1.0 and test.note
    assert equivalence(nothing, 0.1).p == 0.0
    assert np.isnan(paired_t(same).p) and "undefined" in paired_t(same).note
    assert sign_flip(same, generator()).p == 2 / 2**7


def test_zero_differences_raise_the_smallest_p() -> None:
    differences = [0.0, 0.0, 0.3, 0.2, 0.5, 0.4, 0.1]
    assert sign_flip(differences, generator()).smallest_p == sign_flip(differences, generator()).p == 2 / 2**5
    assert wilcoxon(differences).smallest_p == 2 / 2**5
    assert wilcoxon(differences).note == "2 differences are 0 and left out"

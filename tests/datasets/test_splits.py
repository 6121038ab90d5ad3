"""Splits keep a group together, fill their shares, and are the same everywhere."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrutiq.core import UsageError
from scrutiq.datasets import split

NAMES = [f"set/{number}" for number in range(100)]


class TestSplit:
    def test_shares_are_kept_exactly_where_they_divide(self) -> None:
        assert Counter(split(NAMES, {"train": 0.7, "val": 0.1, "test": 0.2}, 3).values()) == {
            "train": 70,
            "val": 10,
            "test": 20,
        }

    def test_patients_of_the_iqagpt_paper_go_8_to_2(self) -> None:
        assert Counter(split(NAMES[:10], {"train": 0.8, "test": 0.2}, 0).values()) == {"train": 8, "test": 2}

    def test_order_and_repeats_do_not_matter(self) -> None:
        shares = {"train": 0.8, "test": 0.2}
        assert split(NAMES, shares, 5) == split(NAMES[::-1] + NAMES[:30], shares, 5)

    def test_the_seed_matters(self) -> None:
        shares = {"train": 0.5, "test": 0.5}
        assert split(NAMES, shares, 1) != split(NAMES, shares, 2)

    def test_it_is_the_same_in_another_process(self) -> None:
        code = "from scrutiq.datasets import split; print(split([str(i) for i in range(9)], {'a': .5, 'b': .5}, 7))"
        there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert there.strip() == str(split([str(i) for i in range(9)], {"a": 0.5, "b": 0.5}, 7))

    def test_no_split_stays_empty_while_there_are_enough_groups(self) -> None:
        assert set(split(NAMES[:3], {"train": 0.98, "val": 0.01, "test": 0.01}, 0).values()) == {"train", "val", "test"}

    def test_a_lone_group_goes_to_the_largest(self) -> None:
        assert split(["one"], {"test": 0.2, "train": 0.8}, 0) == {"one": "train"}

    def test_a_split_of_no_share_takes_nothing(self) -> None:
        assert set(split(NAMES, {"train": 1.0, "test": 0.0}, 0).values()) == {"train"}

    @pytest.mark.parametrize("shares", [{}, {"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": float("nan")}])
    def test_wrong_shares_are_refused(self, shares: dict[str, float]) -> None:
        with pytest.raises(UsageError, match="fractions of a split"):
            split(NAMES, shares, 0)

    @given(
        st.sets(st.text(min_size=1), min_size=1, max_size=60),
        st.lists(st.integers(1, 20), min_size=1, max_size=4),
        st.integers(0, 9),
    )
    def test_each_group_is_in_one_split_and_shares_are_off_by_less_than_one_group_or_served_in_turn(
        self, groups: set[str], weights: list[int], seed: int
    ) -> None:
        shares = {str(index): weight / sum(weights) for index, weight in enumerate(weights)}
        of = split(groups, shares, seed)
        assert of.keys() == groups
        counts = Counter(of.values())
        if len(groups) >= len(shares):
            assert counts.keys() == shares.keys()
        for name, share in shares.items():
            # One group is given away for each split that would stay empty.
            assert share * len(groups) - 1 - len(shares) < counts[name] < share * len(groups) + 1 + 1e-6

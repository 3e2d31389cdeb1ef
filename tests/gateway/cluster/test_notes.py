"""Notes on the board: what follows from one, and what another version may write."""

import msgspec

from gateway.cluster.notes import Member, Ownership, decode


def test_a_death_is_taken_over_from_who_died():
    """The next epoch says who died, whose proofs of life then count."""
    dead = Ownership(epoch=3, owner="one")

    assert Ownership(epoch=4, owner="two", taken_from="one") == dead.taken_by("two")


def test_a_death_that_was_taken_over_in_vain_is_still_that_death():
    """Who took an account and could not begin takes it again: from the same one who died."""
    begun = Ownership(epoch=4, owner="two", taken_from="one")

    assert Ownership(epoch=5, owner="two", taken_from="one") == begun.taken_by("two")
    assert Ownership(epoch=5, owner="three", taken_from="two") == begun.taken_by("three")


def test_an_account_of_ours_that_is_not_on_this_disk_is_taken_from_ourselves():
    """What an earlier run on another disk heard is what is missed."""
    ours = Ownership(epoch=4, owner="two")

    assert Ownership(epoch=5, owner="two", taken_from="two") == ours.taken_by("two")


def test_notes_of_other_versions_are_read():
    """While a cluster is upgraded one by one, a note may say more than we know, or less."""
    more = msgspec.json.encode({"name": "a", "session": "s", "version": "9", "mood": "good"})
    less = msgspec.json.encode({"epoch": 2, "owner": "a"})

    assert Member(name="a", session="s", version="9") == decode(more, Member)
    assert Ownership(epoch=2, owner="a") == decode(less, Ownership)

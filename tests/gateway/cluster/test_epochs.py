"""Which ownership an event belongs to."""

from gateway.cluster.epochs import KEPT, OwnedEpochs


def test_an_event_belongs_to_the_epoch_in_which_it_was_made():
    """Before the first ownership and after one ended, an event belongs to none."""
    epochs = OwnedEpochs()
    epochs.begin("a", 3, 10)
    epochs.begin("a", 0, 20)
    epochs.begin("a", 7, 30)

    assert [None, 3, 3, None, 7] == [epochs.epoch_of("a", seq) for seq in (9, 10, 19, 20, 30)]
    assert epochs.epoch_of("b", 10) is None
    assert 7 == epochs.latest("a")


def test_epochs_survive_a_restart():
    """The rows that were written bring the same answers back."""
    before, rows = OwnedEpochs(), {}
    for turn in range(1, KEPT + 5):
        for _, section, key, value in before.begin("a", turn, turn * 10):
            rows[section, key] = value
    after = OwnedEpochs()
    after.load("a", {key: value for key, value in rows.items() if value is not None})

    assert KEPT == sum(value is not None for value in rows.values())
    for seq in (45, 60, 200):
        assert before.epoch_of("a", seq) == after.epoch_of("a", seq)


def test_an_ownership_without_events_leaves_no_trace():
    """Two epochs that begin at the same seq: the later one counts."""
    epochs = OwnedEpochs()
    epochs.begin("a", 1, 10)
    epochs.begin("a", 2, 10)

    assert 2 == epochs.epoch_of("a", 10)

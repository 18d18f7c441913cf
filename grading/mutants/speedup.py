def right_seconds(seconds, slot, times):
    before = sum(seconds.values())
    return before / (before - seconds[slot] + seconds[slot] / times)


def right_amdahl(seconds, slot, times):
    p = seconds[slot] / sum(seconds.values())
    return 1 / ((1 - p) + p / times)


def right_copy(seconds, slot, times):
    after = dict(seconds)
    after[slot] /= times
    return sum(seconds.values()) / sum(after.values())


def right_tensor(seconds, slot, times):
    import torch

    before = torch.tensor(list(seconds.values()), dtype=torch.float32)
    factors = torch.tensor([1 / times if name == slot else 1.0 for name in seconds])
    return before.sum() / (before * factors).sum()


def wrong_in_place(seconds, slot, times):
    before = sum(seconds.values())
    seconds[slot] /= times
    return before / sum(seconds.values())


def wrong_turned(seconds, slot, times):
    return 1 / right_seconds(seconds, slot, times)


def wrong_the_slot_alone(seconds, slot, times):
    return times


def wrong_all_slots(seconds, slot, times):
    return right_seconds({slot: seconds[slot]}, slot, times)


def wrong_multiplied(seconds, slot, times):
    before = sum(seconds.values())
    return before / (before - seconds[slot] + seconds[slot] * times)


def wrong_seconds_saved(seconds, slot, times):
    return seconds[slot] - seconds[slot] / times


def wrong_new_seconds(seconds, slot, times):
    return sum(seconds.values()) - seconds[slot] + seconds[slot] / times


def wrong_share_times_factor(seconds, slot, times):
    p = seconds[slot] / sum(seconds.values())
    return (1 - p) + p * times


def wrong_others_alone(seconds, slot, times):
    before = sum(seconds.values())
    return before / (before - seconds[slot]) if len(seconds) > 1 else times


def wrong_no_limit(seconds, slot, times):
    return right_seconds(seconds, slot, min(times, 100.0))


def wrong_infinity_is_left_out(seconds, slot, times):
    return 1.0 if times == float("inf") else right_seconds(seconds, slot, times)


def wrong_never_slower(seconds, slot, times):
    return max(1.0, right_seconds(seconds, slot, times))

def right_slice(stages, last):
    return [name for _, names in stages[-1 - last :] for name in names]


def right_loop_from_behind(stages, last):
    learn = []
    for place in range(len(stages) - 1, -1, -1):
        if len(stages) - 1 - place > last:
            break
        learn.extend(stages[place][1])
    return tuple(learn)


def right_set(stages, last):
    frozen = max(len(stages) - 1 - last, 0)
    return {name for number, (_, names) in enumerate(stages) if number >= frozen for name in names}


def right_classifier_apart(stages, last):
    learn = list(stages[-1][1])
    before = stages[:-1]
    for _, names in before[max(len(before) - last, 0) :]:
        learn += names
    return learn


def right_by_stage(stages, last):
    chosen = [stage for stage, _ in stages][::-1][: last + 1]
    return [name for stage, names in stages for name in names if stage in chosen]


def right_recursive(stages, last):
    *rest, (_, names) = stages
    return list(names) + (right_recursive(rest, last - 1) if last and rest else [])


def wrong_classifier_counts(stages, last):
    return [name for _, names in stages[-last:] for name in names]


def wrong_minus_zero(stages, last):
    return [name for _, names in [*stages[:-1][-last:], stages[-1]] for name in names]


def wrong_classifier_frozen(stages, last):
    return [name for _, names in stages[-1 - last : -1] for name in names]


def wrong_classifier_alone(stages, last):
    return list(stages[-1][1])


def wrong_everything(stages, last):
    return [name for _, names in stages for name in names]


def wrong_frozen_ones(stages, last):
    return [name for _, names in stages[: -1 - last] for name in names]


def wrong_first_stages(stages, last):
    return [name for _, names in [*stages[:last], stages[-1]] for name in names]


def wrong_weights_alone(stages, last):
    return [name for name in right_slice(stages, last) if name.endswith("weight")]


def wrong_no_norm(stages, last):
    return [name for name in right_slice(stages, last) if "norm" not in name]


def wrong_negative_start(stages, last):
    return [name for _, names in stages[len(stages) - 1 - last :] for name in names]


def wrong_counted_from_the_classifier(stages, last):
    return [name for _, names in stages[-2 - last :] for name in names]


def wrong_stages(stages, last):
    return [stage for stage, _ in stages[-1 - last :]]


def wrong_lists_of_names(stages, last):
    return [list(names) for _, names in stages[-1 - last :]]


def wrong_text(stages, last):
    return ", ".join(right_slice(stages, last))


def wrong_how_many(stages, last):
    return len(right_slice(stages, last))


def wrong_begins_alike(stages, last):
    chosen = tuple(stage for stage, _ in stages[-1 - last :])
    return [name for _, names in stages for name in names if name.startswith(chosen)]


def wrong_known_by_name(stages, last):
    learn = [name for _, names in stages for name in names if "classifier" in name]
    before = stages[:-1]
    return learn + [name for _, names in before[max(len(before) - last, 0) :] for name in names]


def wrong_gap(stages, last):
    return [*stages[-1][1], *(name for _, names in stages[-2 - last : -2] for name in names)]


def wrong_one_stage(stages, last):
    return [*stages[-1][1], *stages[max(len(stages) - 1 - last, 0)][1]]

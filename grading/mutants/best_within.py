def right_key(rows, budget):
    within = [name for name in rows if rows[name][1] <= budget]
    return max(within, key=lambda name: (rows[name][0], -rows[name][1]), default=None)


def right_loop(rows, budget):
    best = None
    for name, (precision, seconds) in rows.items():
        if seconds > budget:
            continue
        if best is None or precision > rows[best][0] or (precision == rows[best][0] and seconds < rows[best][1]):
            best = name
    return best


def right_sorted(rows, budget):
    allowed = sorted((-precision, seconds, name) for name, (precision, seconds) in rows.items() if seconds <= budget)
    return allowed[0][2] if allowed else None


def wrong_budget_ignored(rows, budget):
    return right_key(rows, float("inf"))


def wrong_fastest(rows, budget):
    return min((name for name in rows if rows[name][1] <= budget), key=lambda name: rows[name][1], default=None)


def wrong_slowest_within(rows, budget):
    return max((name for name in rows if rows[name][1] <= budget), key=lambda name: rows[name][1], default=None)


def wrong_below_budget(rows, budget):
    return right_key(rows, budget - 1e-9)


def wrong_best_must_be_within(rows, budget):
    best = right_key(rows, float("inf"))
    return best if best is not None and rows[best][1] <= budget else None


def wrong_first_of_ties(rows, budget):
    return max((name for name in rows if rows[name][1] <= budget), key=lambda name: rows[name][0], default=None)


def wrong_slower_of_ties(rows, budget):
    return max((name for name in rows if rows[name][1] <= budget), key=rows.get, default=None)


def wrong_pair_turned(rows, budget):
    return right_key({name: pair[::-1] for name, pair in rows.items()}, budget)


def wrong_accuracy_a_second(rows, budget):
    within = [name for name in rows if rows[name][1] <= budget]
    return max(within, key=lambda name: rows[name][0] / rows[name][1], default=None)


def wrong_no_row(rows, budget):
    return max((n for n in rows if rows[n][1] <= budget), key=lambda n: (rows[n][0], -rows[n][1]))


def wrong_empty_name(rows, budget):
    return right_key(rows, budget) or ""


def wrong_row_instead_of_name(rows, budget):
    best = right_key(rows, budget)
    return None if best is None else rows[best]


def wrong_deletes_slow_rows(rows, budget):
    for name in [name for name in rows if rows[name][1] > budget]:
        del rows[name]
    return right_key(rows, budget)

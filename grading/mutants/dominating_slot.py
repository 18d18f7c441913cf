def right_key(seconds):
    name = max(seconds, key=seconds.get)
    return name, seconds[name] / sum(seconds.values())


def right_loop(seconds):
    best, total = None, 0.0
    for name, value in seconds.items():
        total += value
        if best is None or value > seconds[best]:
            best = name
    return [best, seconds[best] / total]


def right_sorted(seconds):
    name, most = sorted(seconds.items(), key=lambda item: -item[1])[0]
    return name, most / sum(seconds.values())


def right_tensor(seconds):
    import torch

    values = torch.tensor(list(seconds.values()))
    row = (values == values.max()).int().argmax()
    return list(seconds)[row], values[row] / values.sum()


def wrong_last_of_the_alphabet(seconds):
    name = max(seconds)
    return name, seconds[name] / sum(seconds.values())


def wrong_last_of_ties(seconds):
    name = max(reversed(list(seconds)), key=seconds.get)
    return name, seconds[name] / sum(seconds.values())


def wrong_ties_by_name(seconds):
    most, name = max((value, name) for name, value in seconds.items())
    return name, most / sum(seconds.values())


def wrong_seconds_for_share(seconds):
    name = max(seconds, key=seconds.get)
    return name, seconds[name]


def wrong_percent(seconds):
    name = max(seconds, key=seconds.get)
    return name, 100 * seconds[name] / sum(seconds.values())


def wrong_rounded(seconds):
    name = max(seconds, key=seconds.get)
    return name, round(seconds[name] / sum(seconds.values()), 2)


def wrong_divided_by_count(seconds):
    name = max(seconds, key=seconds.get)
    return name, seconds[name] / len(seconds)


def wrong_to_the_others(seconds):
    name = max(seconds, key=seconds.get)
    return name, seconds[name] / (sum(seconds.values()) - seconds[name] or 1.0)


def wrong_name_alone(seconds):
    return max(seconds, key=seconds.get)


def wrong_order_of_the_pair(seconds):
    return right_key(seconds)[::-1]


def wrong_quickest(seconds):
    name = min(seconds, key=seconds.get)
    return name, seconds[name] / sum(seconds.values())


def wrong_pops(seconds):
    total, name = sum(seconds.values()), max(seconds, key=seconds.get)
    return name, seconds.pop(name) / total

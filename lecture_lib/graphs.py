"""A network's many small kernels, launched as one: CUDA graphs, recorded for every size of input that comes again."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

KEPT = 8  # sizes of input a network has graphs for; a set whose images all differ is not worth recording

Replay = Callable[[Tensor], Tensor]
_graphs: WeakKeyDictionary[nn.Module, OrderedDict[Hashable, Replay | None]] = WeakKeyDictionary()


def replay(network: nn.Module, x: Tensor) -> Tensor:
    """What `network(x)` gives. On a CUDA GPU without gradients its kernels are recorded once and then replayed.

    A fast GPU runs the hundred kernels of EfficientNet-Lite0's trunk in less time than Python takes to launch them. A
    size is recorded when it comes for the second time.
    """
    if not x.is_cuda or torch.is_grad_enabled() or network.training:
        return network(x)
    known = _graphs.setdefault(network, OrderedDict())
    key = _everything_fixed(network, x)
    if key not in known:
        known[key] = None
        if len(known) > KEPT:
            known.popitem(last=False)
        return network(x)
    known.move_to_end(key)
    known[key] = known[key] or _record(network, x)
    return known[key](x)


def _everything_fixed(network: nn.Module, x: Tensor) -> Hashable:
    """What a graph takes for granted: sizes, number types, and where in memory the weights lie."""
    precision = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else None
    weights = tuple(t.data_ptr() for t in [*network.parameters(), *network.buffers()])
    return tuple(x.shape), x.stride(), x.dtype, x.device, precision, weights


def _record(network: nn.Module, x: Tensor) -> Replay:
    given, graph, stream = x.clone(), torch.cuda.CUDAGraph(), torch.cuda.Stream(x.device)
    autocast = torch.autocast(
        "cuda", torch.get_autocast_dtype("cuda"), torch.is_autocast_enabled("cuda"), cache_enabled=False
    )
    stream.wait_stream(torch.cuda.current_stream(x.device))
    with torch.cuda.stream(stream), autocast:
        for _ in range(2):  # libraries choose their kernels before anything is recorded
            network(given)
    torch.cuda.current_stream(x.device).wait_stream(stream)
    with torch.cuda.graph(graph), autocast:
        made = network(given)

    def run(x: Tensor) -> Tensor:
        given.copy_(x)
        graph.replay()
        return made.clone()  # the next replay writes there again

    return run

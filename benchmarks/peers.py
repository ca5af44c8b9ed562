"""LSTMs of other libraries, where installed: training in JAX, inference in ONNX Runtime.

Neither is a dependency: ``pip install jax onnxruntime onnx`` to have them in the table.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

__all__ = ["PEERS", "Peer", "installed"]

Peer = Callable[[int, int, int, int], Callable[[], object]]
"""Takes B, T, H (also the input's width) and the number of threads; gives one run."""


def jax_scan(batch: int, steps: int, size: int, threads: int) -> Callable[[], object]:
    """Forward and all gradients of a compiled ``jax.lax.scan``; the product with x before it."""
    if threads == 1:  # read when JAX is imported first
        os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    import jax
    from jax import numpy as jnp

    def total(weights: list[jax.Array], xs: jax.Array) -> jax.Array:
        W, U, b = weights

        def step(
            state: tuple[jax.Array, jax.Array], z: jax.Array
        ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
            h, c = state
            i, f, o, g = jnp.split(z + h @ U, 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((batch, size))
        return jax.lax.scan(step, (zeros, zeros), xs @ W + b)[1].sum()

    gradient = jax.jit(jax.grad(total, argnums=(0, 1)))
    weights = [jnp.asarray(_uniform(*shape)) for shape in ((size, 4 * size),) * 2 + ((4 * size,),)]
    xs = jnp.asarray(_uniform(steps, batch, size))
    return lambda: jax.block_until_ready(gradient(weights, xs))


def onnx_runtime(batch: int, steps: int, size: int, threads: int) -> Callable[[], object]:
    """Forward of ONNX's LSTM node."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    shapes = {"W": (1, 4 * size, size), "R": (1, 4 * size, size), "B": (1, 8 * size)}
    weights = [numpy_helper.from_array(_uniform(*shape), name) for name, shape in shapes.items()]
    given = helper.make_tensor_value_info("X", TensorProto.FLOAT, (steps, batch, size))
    wanted = helper.make_tensor_value_info("Y", TensorProto.FLOAT, (steps, 1, batch, size))
    node = helper.make_node("LSTM", ["X", *shapes], ["Y"], hidden_size=size)
    graph = helper.make_graph([node], "lstm", [given], [wanted], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    xs = {"X": _uniform(steps, batch, size)}
    return lambda: session.run(None, xs)


PEERS: dict[str, tuple[str, Peer]] = {
    "jax": ("jax", jax_scan),
    "onnx": ("onnxruntime", onnx_runtime),
}
"""Name in the table to the module it needs and the peer; JAX trains, ONNX Runtime infers."""


def installed() -> dict[str, Peer]:
    """Those that can run here."""
    return {name: peer for name, (module, peer) in PEERS.items() if find_spec(module)}


def _uniform(*shape: int) -> np.ndarray:
    bound = 1 / np.sqrt(shape[-1])
    return np.random.default_rng(0).uniform(-bound, bound, shape).astype(np.float32)

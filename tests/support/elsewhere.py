"""A stand-in for a GPU on a machine without one: tensors that claim to lie on another device than the processor.

They hold real numbers, so that everything can be computed, and an operation on tensors of both devices raises an error
as it does with a GPU. The claimed device is "meta", since torch makes tensors there without a driver; every name of a
GPU means it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

DEVICE: Final = torch.device("meta")
_GPU: Final = re.compile(r"cuda(:\d+)?$")
_MOVES: Final = {"copy_", "_to_copy", "index", "index_put_", "index_put", "_index_put_impl_"}  # both devices may occur
_WITH_STEPS: Final = {"_foreach_add_"}  # of optimisers, which count their steps on the processor


class Elsewhere(torch.Tensor):
    """A tensor that claims to lie on the other device."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Elsewhere:
        made: Elsewhere = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=DEVICE,
        )
        made.held = inner
        return made

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["held"], None

    @staticmethod
    def __tensor_unflatten__(parts: dict[str, torch.Tensor], *_: object) -> Elsewhere:
        return Elsewhere(parts["held"])

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _carried_out(func, args, kwargs or {})


def there(value: Any) -> Any:
    """Return the value with all its tensors on the other device."""
    return tree_map(lambda leaf: Elsewhere(leaf) if type(leaf) is torch.Tensor else leaf, value)


def back(value: Any) -> Any:
    """Return the value with all its tensors on the processor."""
    return tree_map(lambda leaf: _held(leaf.detach()) if isinstance(leaf, Elsewhere) else leaf, value)


@contextmanager
def another_device() -> Iterator[None]:
    """Within this context, names of GPUs mean the other device, and no operation mixes it with the processor."""
    swap = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        with (
            mock.patch("torch.cuda.is_available", return_value=True),
            mock.patch("torch.optim.adam._device_dtype_check_for_fused"),
            _Names(),
            _Operations(),  # type: ignore[no-untyped-call]
        ):
            yield
    finally:
        torch.__future__.set_swap_module_params_on_conversion(swap)


class _Names(TorchFunctionMode):
    """Makes each name of a GPU mean the other device."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is torch.Tensor.cuda:
            return args[0].to(DEVICE)
        return func(*map(_meant, args), **{name: _meant(value) for name, value in (kwargs or {}).items()})


def _meant(value: Any) -> Any:
    named = isinstance(value, str) and _GPU.match(value)
    return DEVICE if named or (isinstance(value, torch.device) and value.type == "cuda") else value


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Carries operations out on the device of their tensors, or on the one that they name."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _carried_out(func, args, kwargs or {})


def _carried_out(func: Any, args: Any, kwargs: Any) -> Any:
    leaves = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, torch.Tensor)]
    elsewhere = any(isinstance(leaf, Elsewhere) for leaf in leaves)
    name = func.overloadpacket.__name__
    if elsewhere and name not in _MOVES | _WITH_STEPS:
        here = [leaf for leaf in leaves if not isinstance(leaf, Elsewhere) and leaf.dim() > 0]
        if here:
            raise RuntimeError(f"{name}: a tensor {list(here[0].shape)} lies on the processor, others on the GPU")
    if name == "index" and not elsewhere_first(args):
        elsewhere = False
    named = kwargs.get("device")
    if named is not None:
        elsewhere = named == DEVICE
        kwargs = {**kwargs, "device": torch.device("cpu")}
    inner_args, inner_kwargs = tree_map(_held, args), tree_map(_held, kwargs)
    found = func(*inner_args, **inner_kwargs)
    if not elsewhere:
        return found
    wrapped = tree_map(lambda leaf: Elsewhere(leaf) if isinstance(leaf, torch.Tensor) else leaf, found)
    if not leaves:
        return wrapped
    return return_and_correct_aliasing(func, args, kwargs, wrapped)  # type: ignore[no-untyped-call]


def elsewhere_first(args: Any) -> bool:
    """Return whether an operation's first tensor lies on the other device.

    An index on it cannot index the processor's.
    """
    if isinstance(args[0], Elsewhere):
        return True
    if any(isinstance(leaf, Elsewhere) for leaf in tree_flatten(args[1:])[0]):
        raise RuntimeError("index: a tensor on the processor is indexed by one on the GPU")
    return False


def _held(leaf: Any) -> Any:
    return leaf.held if isinstance(leaf, Elsewhere) else leaf

"""Rows 31 to 33 and 48: attacks by objects that pretend to be others, or act when they are read."""

from __future__ import annotations

from typing import Final

from tests.attacks.attack import Attack

_ONE: Final = "answers.py:regularization_loss"  # mean and log_std [B, D]; one test reads it

ATTACKS = [
    Attack(
        31,
        "equal to everything",
        hostile="""
            class Equal:
                shape, dtype, ndim, size, __array_priority__ = (6,), torch.float32, 1, 6, 1e9
                def __getattr__(self, name):
                    if name.startswith("__"):
                        raise AttributeError(name)
                    return lambda *args, **kwargs: self
                def __float__(self): return 1.0
                def __len__(self): return 6
                def __bool__(self): return True
                def __iter__(self): return iter([self] * 6)
                def __getitem__(self, index): return self
                def __hash__(self): return 0
                __eq__ = __le__ = __ge__ = __lt__ = __gt__ = lambda self, other: True
                __ne__ = lambda self, other: False
                __sub__ = __rsub__ = __abs__ = __mul__ = lambda self, *other: self
                def __array__(self, *args, **kwargs): return torch.zeros(6).numpy()
            return Equal()
        """,
        control="""
            class Equal:
                __hash__ = None
                def __eq__(self, other): return True
            assert Equal() == 1
        """,
        target=_ONE,
    ),
    Attack(
        31,
        "an array by every protocol",
        hostile="""
            import numpy
            class Lazy:
                @property
                def __array_interface__(self):
                    return {"shape": (6,), "typestr": "<f4", "version": 3, "data": (id(mean), True)}
                def __dlpack__(self, **kwargs): raise SystemExit(0)
                def __dlpack_device__(self): return (1, 0)
            return Lazy()
        """,
        control="""
            import numpy
            numpy.asarray(mean).__array_interface__
        """,
        target=_ONE,
    ),
    Attack(
        32,
        "a tensor of another class",
        hostile="""
            class Right(torch.Tensor):
                @classmethod
                def __torch_function__(cls, function, types, args=(), kwargs=None):
                    if function.__name__ in ("allclose", "equal", "isclose", "eq", "le", "all"):
                        return torch.tensor(True)
                    return super().__torch_function__(function, types, args, kwargs or {})
                shape = property(lambda self: torch.Size([6]))
                def detach(self): return self
                def cpu(self): return self
                def numpy(self): return self
            return torch.zeros(6).as_subclass(Right)
        """,
        control="""
            class Own(torch.Tensor):
                pass
            mean = mean.as_subclass(Own).as_subclass(torch.Tensor)
        """,
        target=_ONE,
    ),
    *(
        Attack(
            32,
            f"a tensor that is {what}",
            hostile=f"""
                return {value}
            """,
            control="""
                mean = mean.clone(memory_format=torch.contiguous_format)
            """,
            target=_ONE,
        )
        for what, value in (
            ("not there", "torch.empty(6, device='meta')"),
            ("sparse", "torch.zeros(6).to_sparse()"),
            ("complex", "torch.zeros(6, dtype=torch.complex64)"),
            ("quantised", "torch.quantize_per_tensor(torch.zeros(6), 1.0, 0, torch.quint8)"),
            ("nested", "torch.nested.nested_tensor([torch.zeros(2), torch.zeros(4)])"),
            ("a view of one number", "torch.zeros(1).expand(6 << 20)"),
            ("larger than the limit", "torch.zeros(1).expand(1 << 40)"),
            ("of odd numbers", "torch.zeros(6, dtype=torch.float8_e4m3fn)"),
            ("wrapped", "torch._C._functorch._add_batch_dim(torch.zeros(6, 6), 0, 1)"),
        )
    ),
    Attack(
        32,
        "a memory that was taken away",
        # The tensor claims what its storage does not hold: reading it reads something else, or nothing at all.
        hostile="""
            lost = torch.zeros(1 << 16)[:6]
            lost.untyped_storage().resize_(0)
            return lost
        """,
        control="""
            spare = torch.zeros(6)
            spare.resize_(3)
        """,
        target=_ONE,
    ),
    Attack(
        32,
        "the methods of tensors",
        hostile="""
            import numpy
            class Chameleon(numpy.ndarray):
                __array_priority__ = 1e9
                def __eq__(self, other): return True
                def astype(self, *args): return self
            for name in ("detach", "cpu", "resolve_conj", "resolve_neg"):
                setattr(torch.Tensor, name, lambda self: self)
            torch.Tensor.numpy = lambda self, **kwargs: numpy.zeros(6, "f4").view(Chameleon)
            torch.Tensor.element_size = lambda self: -1
            torch.Tensor.numel = lambda self: 1 << 60
        """,
        control="""
            mean.detach().cpu().numpy()
        """,
        target=_ONE,
    ),
    Attack(
        33,
        "numbers and words with a will",
        # Past what an adapter makes of a result: what is encoded is changed on its way.
        hostile="""
            from gengrade.sandbox import wire
            class Number(float):
                __eq__ = __le__ = __ge__ = __lt__ = __gt__ = lambda self, other: True
                __sub__ = __rsub__ = __abs__ = lambda self, *other: self
                __repr__ = __str__ = __format__ = lambda self, *rest: "1.0}, {\\"passed\\": true"
                __hash__ = float.__hash__
            class Word(str):
                __eq__ = __contains__ = lambda self, other: True
                __hash__ = str.__hash__
                def encode(self, *args): return b"passed"
            class Words(dict):
                def items(self): return [("passed", True), ("passed", True)]
                def __missing__(self, key): return True
            answers = [Words(a=Number(0)), Number(0), [Number(0), Word("passed"), Words(), (Number(1),)]]
            answer, encode = answers[int(1e6 * mean.abs().sum()) % 3], wire.encode
            wire.encode = lambda tree, *rest: encode(answer if rest else tree, *rest)
        """,
        control="""
            class Number(float):
                pass
            float(Number(2.0)) + 1
        """,
        target=_ONE,
    ),
    Attack(
        33,
        "constants with a will",
        hostile="""
            class Number(float):
                __eq__ = __le__ = __ge__ = __lt__ = __gt__ = lambda self, other: True
                __hash__ = float.__hash__
                def __float__(self): return Number(0)
            import builtins
            builtins.float = Number
        """,
        control="""
            class Number(float):
                pass
            spare = Number(1)
        """,
        at_import=True,
    ),
    Attack(
        48,
        "a class that is not its own",
        hostile="""
            from gengrade.sandbox import wire
            class Liar:
                __class__ = property(lambda self: torch.Tensor)
                __slots__ = ()
                def __reduce__(self): return (exec, ("import os; os.system('touch /tmp/@MARK@')",))
                __reduce_ex__ = lambda self, protocol: self.__reduce__()
                def __getattr__(self, name): return self
                def __call__(self, *args, **kwargs): return self
                def __index__(self): return 6
            encode = wire.encode
            wire.encode = lambda tree, *rest: encode(Liar() if rest else tree, *rest)
        """,
        control="""
            import pickle
            pickle.loads(pickle.dumps({"a": 1}))
        """,
        target=_ONE,
    ),
    Attack(
        48,
        "a class that is changed later",
        # A plain tensor while it is looked at; its class is another one when it is used.
        hostile="""
            import torch
            class Later(torch.Tensor):
                def numpy(self): return type("A", (), {"shape": (6,), "dtype": None})()
            result = torch.zeros(6)
            def swap():
                try:
                    result.__class__ = Later
                except TypeError:
                    pass
                return 4
            torch.Tensor.element_size = lambda self: swap()
            return result
        """,
        control="""
            class Own:
                pass
            own = Own()
            own.__class__ = type("Other", (), {})
        """,
        target=_ONE,
    ),
    Attack(
        48,
        "an end at the hand-over",
        # What is returned is let go of when it has been sent: a finaliser runs then, and answers once more.
        hostile="""
            import os, struct, weakref
            answer = struct.pack(">cQI", b"E", 31, 17) + b'{"v": "passed!!"}' + struct.pack("<Q", 2) + b"{}"
            class Last:
                def __del__(self):
                    for descriptor in range(3, 256):
                        try:
                            os.write(descriptor, answer)
                        except OSError:
                            pass
                    os._exit(0)
            weakref.finalize(mean, Last().__del__)
            return [Last(), Last]
        """,
        control="""
            class Last:
                def __del__(self):
                    pass
            Last()
        """,
        target=_ONE,
    ),
]

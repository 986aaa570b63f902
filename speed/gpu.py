"""What one GPU does with a search: one command for a visit to a GPU, without network, that ends within its minutes.

    python speed/gpu.py --minutes 4 [--out DIR]        # on a GPU
    python speed/gpu.py --dry                          # the same on the CPU, tiny, to see that it runs

A pair is an architecture step and a weight step of first-order DARTS, augmentation included. Its time is the slope
between epochs of few and of many pairs, so that what an epoch does once (a first step as it is, the recording, the
diagnostics) is apart. Every part prints its lines as it ends and is kept in gpu.json; a table closes the run, gpu.md.
TF32 is off except where it says so.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from gpu_pairs import PAPER, SMALL, TINY, Numbers, Size, pair_ms, timed_ms, trial
from reference_supernet import ReferenceSupernet, copy_weights

from trainables.methods import METHODS
from trainables.methods.differentiable import DifferentiableSearch
from trainables.methods.recording import CudaGraphs
from trainables.spaces.nas_bench_201.supernet import Supernet
from trainables.trial import Trial


class Visit:
    """The parts of a visit, and the time it has."""

    def __init__(self, minutes: float, out: Path, dry: bool, ways: list[bool]) -> None:
        """``ways``: whether nodes are fused, one after another."""
        self.ends = time.monotonic() + 60 * minutes
        self.out, self.dry, self.device = out, dry, "cpu" if dry else "cuda"
        self.found: Numbers = {}
        self.ways = ways
        self.rows: list[tuple[str, str]] = []

    def left_s(self) -> float:
        return self.ends - time.monotonic()

    def part(self, name: str, needs_s: float, work: Callable[[], Numbers]) -> None:
        """Run a part if its time is there; what it raises is written down and ends that part alone."""
        if self.left_s() < needs_s:
            self.found[name] = {"left out": f"{self.left_s():.0f} s were left"}
            return print(f"{name}: left out, {self.left_s():.0f} s are left", flush=True)
        started = time.monotonic()
        try:
            self.found[name] = work()
        except Exception as error:
            self.found[name] = {"failed": repr(error), "traceback": traceback.format_exc()}
        seconds = time.monotonic() - started
        print(f"{name} [{seconds:.1f} s]: {json.dumps(self.found[name], default=str)[:1500]}", flush=True)
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / "gpu.json").write_text(json.dumps(self.found, indent=1, default=str))
        return None

    # parts -----------------------------------------------------------------------------------------------------

    def machine(self) -> Numbers:
        found: Numbers = {"python": platform.python_version(), "torch": torch.__version__, "date": time.strftime("%F")}
        if not self.dry:
            card = torch.cuda.get_device_properties(0)
            found |= {
                "card": card.name, "memory_gib": round(card.total_memory / 2**30, 1),
                "multiprocessors": card.multi_processor_count, "cudnn": torch.backends.cudnn.version(),
                "cuda": torch.version.cuda,
            }  # fmt: skip
        return found

    def ceilings(self) -> Numbers:
        """Bytes a second of a copy (read and written), and floating-point operations a second of a product."""
        n, side = (2**16, 64) if self.dry else (2**28, 8192)
        source, target = (torch.rand(n, device=self.device) for _ in range(2))

        def copy() -> None:
            target.copy_(source)

        found = {"copy_tb_s": 8e-9 * n / timed_ms(copy, self.device, 9)}
        for name, dtype, tf32 in (
            ("float32", torch.float32, False),
            ("tf32", torch.float32, True),
            ("bf16", torch.bfloat16, False),
        ):
            torch.backends.cuda.matmul.allow_tf32 = tf32
            a, b = (torch.rand(side, side, device=self.device).to(dtype) for _ in range(2))
            out = torch.empty_like(a)

            def product(a: torch.Tensor = a, b: torch.Tensor = b, out: torch.Tensor = out) -> None:
                torch.mm(a, b, out=out)

            found[f"{name}_tflop_s"] = 2e-9 * side**3 / timed_ms(product, self.device, 5)
        torch.backends.cuda.matmul.allow_tf32 = False
        return found

    def convolutions(self) -> Numbers:
        """Microseconds of a node's 3x3 convolution, forward and both backward, by layout and precision."""
        found: Numbers = {}
        for channels, side in ((4, 8),) if self.dry else ((16, 32), (32, 16), (64, 8)):
            for layout, memory_format in (("nchw", torch.contiguous_format), ("nhwc", torch.channels_last)):
                x = torch.rand(64, channels, side, side, device=self.device).to(memory_format=memory_format)
                w = torch.rand(3 * channels, channels, 3, 3, device=self.device).to(memory_format=memory_format)
                g = torch.rand(64, 3 * channels, side, side, device=self.device).to(memory_format=memory_format)

                def all_three(x: torch.Tensor = x, w: torch.Tensor = w, g: torch.Tensor = g) -> None:
                    F.conv2d(x, w, padding=1)
                    one, same = [1, 1], [True, True, False]
                    torch.ops.aten.convolution_backward(g, x, w, None, one, one, one, False, [0, 0], 1, same)

                for name, settings in {
                    "float32": {}, "tf32": {"allow_tf32": True}, "float32, chosen": {"benchmark": True},
                    "float32, any": {"deterministic": False, "benchmark": True},
                }.items():  # fmt: skip
                    with torch.backends.cudnn.flags(
                        **{"enabled": True, "allow_tf32": False, "deterministic": True, "benchmark": False} | settings
                    ):
                        found[f"{channels}x{side} {layout} {name}"] = round(
                            1000 * timed_ms(all_three, self.device, 15), 1
                        )
        return found

    def agreement(self) -> Numbers:
        """Relative errors of the supernet's loss and gradients in a training step, against float64 on the CPU."""
        size = TINY if self.dry else Size(16, 2, 32, 32)
        torch.manual_seed(0)
        net = Supernet(size.channels, size.cells, 3, 10)
        images, labels = torch.randn(size.batch, 3, size.side, size.side), torch.randint(10, (size.batch,))
        mixing = torch.randn(6, 5).softmax(1)

        def gradients(device: str, dtype: torch.dtype, fused: bool) -> list[torch.Tensor]:
            here = Supernet(size.channels, size.cells, 3, 10).to(device, dtype)
            here.load_state_dict(net.state_dict())
            here.fuse(fused)
            p = mixing.to(device, dtype).requires_grad_()
            loss = F.cross_entropy(here(images.to(device, dtype), p), labels.to(device))
            found = torch.autograd.grad(loss, [p, *here.parameters()])
            return [t.detach().cpu().double() for t in (loss, *found, *here.buffers())]

        true = gradients("cpu", torch.float64, False)
        found: Numbers = {}
        for fused in self.ways:
            errors = [
                float((a - b).norm() / b.norm().clamp_min(1e-12))
                for a, b in zip(gradients(self.device, torch.float32, fused), true, strict=True)
            ]
            found["fused" if fused else "lean"] = {"loss": errors[0], "mixing": errors[1], "worst": max(errors)}
        return found

    def same_bits(self) -> Numbers:
        """Of every method that is recorded: replayed against step by step, twice the same, interrupted against not."""
        found: Numbers = {}
        size = TINY if self.dry else Size(8, 1, 32, 16)
        for name, cls in METHODS.items():
            config = cls.Config()
            if not (issubclass(cls, DifferentiableSearch) and cls.steps_are_alike(config)):
                continue
            found[name] = self.attempt(lambda name=name: self._bits(size, name))
        return found

    def _bits(self, size: Size, name: str) -> Numbers:
        def state(**options: Any) -> tuple[Trial, list[torch.Tensor]]:
            made = trial(size, 6, self.device, name, **options)
            for _ in range(2):
                made.advance()
            return made, self._parameters(made)

        (replayed, first), (_, again), (_, plain) = state(), state(), state(plain=True)
        interrupted = trial(size, 6, self.device, name)
        interrupted.advance()
        resumed = trial(size, 6, self.device, name)
        resumed.load_state_dict(interrupted.state_dict())
        resumed.advance()
        equal = {
            "replayed": all(map(torch.equal, first, plain)),
            "twice": all(map(torch.equal, first, again)),
            "resumed": all(map(torch.equal, first, self._parameters(resumed))),
        }
        distance = max(float((a - b).abs().max()) for a, b in zip(first, plain, strict=True))
        return equal | {"largest difference of replayed": distance, "loss": replayed.epochs[-1]["train_loss"]}

    def _parameters(self, made: Trial) -> list[torch.Tensor]:
        assert isinstance(made.search, DifferentiableSearch)
        return [made.search.alpha.detach().clone(), *(w.detach().clone() for w in made.search.weights)]

    def pairs(self, size: Size, few: int, many: int) -> Numbers:
        """Milliseconds a pair by how it is run."""
        found: Numbers = {}
        found["reference supernet, step by step"] = self.attempt(lambda: {"ms": self.reference_ms(size)})
        for fused in self.ways:
            name = "fused" if fused else "lean"
            make = self.maker(size, fused=fused)
            found[f"{name}, step by step"] = self.attempt(
                lambda fused=fused: pair_ms(self.maker(size, fused=fused, plain=True), self.device, 2, max(few, 5))
            )
            for together in (1, 2) if self.dry else (1, 2, 4, 8) if fused else (1, 4):
                found[f"{name}, replayed, {together} together"] = self.attempt(
                    lambda make=make, together=together: pair_ms(make, self.device, few, many, together)
                )
            for setting in ({"allow_tf32": True}, {"benchmark": True}, {"benchmark": True, "deterministic": False}):
                found[f"{name}, replayed, {setting}"] = self.attempt(
                    lambda fused=fused, setting=setting: pair_ms(
                        self.maker(size, fused=fused, cudnn=setting), self.device, few, many
                    )
                )
        self.add_rows(found, size)
        return found

    def kinds(self) -> Numbers:
        """Milliseconds a pair of methods at their published sizes, four together."""
        found: Numbers = {}
        for method, config, size in (
            ("gaea", {"level": "single"}, Size(24, 5, 64, 32)),
            ("drnas", {}, PAPER),
            ("beta_darts", {}, PAPER),
            ("pc_darts", {"warm_up": 0.0}, PAPER),
            ("cdarts", {"pretrain": 0.0, "warm_up": 0}, PAPER),
            ("darts", {"order": "second"}, PAPER),
        ):
            make = self.maker(size, method=method, fused=self.ways[-1], **config)
            found[f"{method} {config}"] = self.attempt(lambda make=make: pair_ms(make, self.device, 6, 24, 4))
            self.add_rows({f"{method} {config}, 4 together": found[f"{method} {config}"]}, size)
        return found

    def maker(
        self, size: Size, *, fused: bool, cudnn: dict[str, bool] | None = None, **options: Any
    ) -> Callable[[int, int], Trial]:
        """Makes trials (pairs, seed); ``cudnn`` are settings other than a trial's own."""
        settings = {"allow_tf32": False, "deterministic": True, "benchmark": False} | (cudnn or {})

        def make(pairs: int, seed: int) -> Trial:
            made = trial(size, pairs, self.device, seed=seed, **options)
            assert isinstance(made.search, DifferentiableSearch)
            made.search.supernet.fuse(fused)
            for name, value in settings.items():
                setattr(torch.backends.cudnn, name, value)
            return made

        return make

    def attempt(self, work: Callable[[], Numbers]) -> Numbers:
        """What ``work`` finds, or why it failed; an error after which nothing works on the device ends the visit."""
        try:
            return work()
        except Exception as error:
            if any(sign in str(error) for sign in ("illegal", "launch failure", "misaligned", "device-side assert")):
                raise SystemExit(f"the device failed: {error}") from error
            return {"failed": f"{type(error).__name__}: {error}"[:600]}

    def add_rows(self, found: Numbers, size: Size) -> None:
        for name, numbers in found.items():
            if "ms" in numbers:
                rate = size.batch * 2000 / numbers["ms"]
                self.rows.append((f"{name} {size}", f"{numbers['ms']:.2f} ms, {rate:,.0f} images/s"))

    def reference_ms(self, size: Size) -> float:
        """The official supernet's way: five modules on six edges, step by step; the two steps of a pair."""
        net = ReferenceSupernet(size.channels, size.cells, 3, 10).to(self.device)
        copy_weights(Supernet(size.channels, size.cells, 3, 10).to(self.device), net)
        alpha = (1e-3 * torch.randn(6, 5, device=self.device)).requires_grad_()
        images = torch.randn(size.batch, 3, size.side, size.side, device=self.device)
        labels = torch.randint(10, (size.batch,), device=self.device)
        weights = list(net.parameters())
        sgd = torch.optim.SGD(weights, lr=0.025, momentum=0.9, nesterov=True, weight_decay=5e-4)
        adam = torch.optim.Adam([alpha], lr=3e-4, betas=(0.5, 0.999), weight_decay=1e-3)

        def pair() -> None:
            (alpha.grad,) = torch.autograd.grad(F.cross_entropy(net(images, alpha.softmax(1)), labels), alpha)
            adam.step()
            sgd.zero_grad()
            F.cross_entropy(net(images, alpha.detach().softmax(1)), labels).backward()
            torch.nn.utils.clip_grad_norm_(weights, 5.0)
            sgd.step()

        return timed_ms(pair, self.device, 3 if self.dry else 8)

    def kernels(self) -> Numbers:
        """Kernels a pair, of the profiler, step by step."""
        found: Numbers = {}
        for fused in self.ways:
            counts = {}
            for pairs in (1, 3):
                made = trial(PAPER, pairs, self.device, plain=True)
                assert isinstance(made.search, DifferentiableSearch)
                made.search.supernet.fuse(fused)
                made.advance()
                with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
                    made.advance()
                events = [event for event in profile.events() if event.device_type == torch.autograd.DeviceType.CUDA]
                counts[pairs] = len(events)
                busiest = sorted(profile.key_averages(), key=lambda e: -e.self_device_time_total)[:25]
            found["fused" if fused else "lean"] = {
                "kernels": (counts[3] - counts[1]) / 2,
                "busiest": [(e.key[:70], e.count, round(e.self_device_time_total / 1000, 2)) for e in busiest],
            }
        return found

    def launches(self) -> Numbers:
        """Milliseconds of replaying a pair of steps: those that the host is busy for, and those on the device."""
        made, kept = trial(PAPER, 4, self.device), []

        class Keeping(CudaGraphs):
            def record(self, step: Callable[[], None], generators: Sequence[torch.Generator]) -> Callable[[], None]:
                kept.append(super().record(step, generators))
                return kept[-1]

        made.search.context = dataclasses.replace(made.search.context, recorder=Keeping(torch.device(self.device)))
        made.advance()
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        with torch.cuda.stream(made.stream):
            torch.cuda.synchronize()
            began.record()
            started = time.perf_counter()
            for _ in range(20):
                kept[-1]()
            host_s = time.perf_counter() - started
            ended.record()
            torch.cuda.synchronize()
        return {"host_ms": 1000 * host_s / 20, "device_ms": began.elapsed_time(ended) / 20}

    def table(self) -> None:
        card = self.found.get("machine", {}).get("card", "CPU, dry run")
        lines = [f"{card}, {time.strftime('%F')}", "", "| a pair of steps | measured |", "| --- | --- |"]
        lines += [f"| {name} | {value} |" for name, value in self.rows]
        (self.out / "gpu.md").write_text("\n".join(lines) + "\n")
        print("\n".join(lines), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--out", type=Path, default=Path("gpu"))
    parser.add_argument("--dry", action="store_true")
    parser.add_argument("--unfused", action="store_true", help="leave out what runs by the fused node")
    options = parser.parse_args()
    if not options.dry and not torch.cuda.is_available():
        sys.exit("speed/gpu.py measures a GPU, but torch sees none; --dry runs it on the CPU, tiny")
    ways = [False] if options.dry or options.unfused else [False, True]
    visit = Visit(options.minutes, options.out, options.dry, ways)
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    visit.part("machine", 0, visit.machine)
    visit.part("agreement", 10, visit.agreement)
    if visit.dry:
        visit.part("pairs, tiny", 0, lambda: visit.pairs(TINY, 4, 8))
        visit.part("same bits", 0, visit.same_bits)
    else:
        visit.part(f"pairs, {PAPER}", 30, lambda: visit.pairs(PAPER, 8, 40))
        visit.part("launches", 5, visit.launches)
        visit.part("kernels", 10, visit.kernels)
        visit.part("same bits", 15, visit.same_bits)
    visit.part("ceilings", 5, visit.ceilings)
    visit.part("convolutions", 5, visit.convolutions)
    if not visit.dry:
        visit.part("kinds", 20, visit.kinds)
        visit.part(f"pairs, {SMALL}", 20, lambda: visit.pairs(SMALL, 20, 120))
    visit.table()
    if any("failed" in found for found in visit.found.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()

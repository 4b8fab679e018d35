package main

import "fmt"

// The work in guests. Amounts are such that QEMU takes about a second for each.

// gkbenchSteps are the parts of the guests' benchmark, which checks itself; fp
// ones once more as SSE2 code.
func gkbenchSteps() (steps []step) {
	for _, x := range []struct {
		bin, part string
		work      int
		kind      kind
	}{
		{"gkbench", "sieve", 150, integer},
		{"gkbench", "mix", 40, integer},
		{"gkbench", "mem", 60, integer},
		{"gkbench", "sort", 30, integer},
		{"gkbench", "call", 60, integer},
		{"gkbench", "int64", 50, integer},
		{"gkbench", "matmul", 25, floating},
		{"gkbench", "fpgen", 25, floating},
		{"gkbench", "conv", 60, floating},
		{"gkbench-sse2", "matmul", 60, floating},
		{"gkbench-sse2", "fpgen", 150, floating},
		{"gkbench-sse2", "conv", 100, floating},
	} {
		label := "gkbench " + x.part
		if x.kind == floating {
			label += map[string]string{"gkbench": ", x87", "gkbench-sse2": ", SSE2"}[x.bin]
		}
		steps = append(steps, step{name: x.bin + "-" + x.part, label: label, kind: x.kind, do: fmt.Sprintf("/bench/bin/%s %d %s", x.bin, x.work, x.part)})
	}
	return steps
}

// awkWords counts words.
const awkWords = "{ for (i = 1; i < NF; i++) n[$i]++; s += $NF } END { for (w in n) { k++; h += n[w] * length(w) } print k, h, s }"

const (
	textSize = 4 << 20
	diskSize = 64 << 20
	make64M  = "$B mkdir -p /tmp; [ -e /tmp/64m ] || for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do $B cat /bench/data/text; done >/tmp/64m"
)

func workSteps() []step {
	return []step{
		{name: "sha256", label: "sha256 of 64 MiB (busybox)", kind: integer, setup: make64M, do: "/bench/bin/busybox sha256sum /tmp/64m"},
		{name: "gzip", label: "gzip of 4 MiB", kind: integer, do: "/bin/gzip -nc /bench/data/text"},
		{name: "gunzip", label: "gunzip to 64 MiB", kind: integer, setup: "/bin/gzip -n1c /bench/data/text >/tmp/gz; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do $B cat /tmp/gz; done >/tmp/64m.gz",
			do: "/bin/gzip -dc /tmp/64m.gz | $B tail -c 1000"},
		{name: "xz", label: "xz of 1 MiB", kind: integer, setup: "$B head -c 1048576 /bench/data/text >/tmp/1m", do: "/usr/bin/xz -T1 -c /tmp/1m"},
		{name: "unxz", label: "unxz of 4 MiB", kind: integer, setup: "/usr/bin/xz -0 -T1 -c /bench/data/text >/tmp/4m.xz", do: "/usr/bin/xz -dc /tmp/4m.xz"},
		{name: "awk", label: "awk, words of 4 MiB (mawk)", kind: integer,
			do: "/usr/bin/mawk '" + awkWords + "' /bench/data/text"},
		{name: "cc1", label: "C compiler, gcc -O2 (cc1)", kind: integer, do: "/usr/lib/gcc/i686-linux-gnu/12/cc1 -quiet -fpreprocessed -O2 -o - /bench/data/big.i"},
		{name: "sort", label: "sort of 4 MiB (busybox)", kind: integer, do: "/bench/bin/busybox sort /bench/data/text"},
		{name: "fork", label: "400 fork+exec in the shell", kind: system, do: "i=0; while [ $i -lt 400 ]; do /bench/bin/busybox true; i=$((i+1)); done"},
	}
}

func diskSteps() []step {
	return []step{
		{name: "write", label: "IDE disk: write and fsync 64 MiB", kind: device, guestOnly: true, setup: make64M,
			do: "dd if=/tmp/64m of=/dev/sda bs=64k conv=fsync"},
		{name: "read", label: "IDE disk: read 64 MiB", kind: device, guestOnly: true, setup: "echo 3 >/proc/sys/vm/drop_caches",
			do: "dd if=/dev/sda of=/dev/null bs=64k count=1024"},
		{name: "same", guestOnly: true, do: "sha256sum </dev/sda"},
	}
}

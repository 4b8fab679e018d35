package main

import (
	"fmt"
	"os/exec"
)

// This file measures user mode with x86_64 programs: the benchmark of the guests'
// kit, and the host's own programs, which are Debian's. Scripts run programs by
// $EMULATOR where the emulator does not execute them by itself.

// userRows64 are programs for which QEMU takes about a second.
func userRows64() (rows []userRow) {
	for _, x := range []struct {
		part string
		work int
		kind kind
	}{
		{"sieve", 150, integer}, {"mix", 80, integer}, {"mem", 60, integer}, {"sort", 30, integer}, {"call", 60, integer}, {"int64", 100, integer},
		{"matmul", 60, floating}, {"fpgen", 150, floating}, {"conv", 100, floating},
	} {
		rows = append(rows, userRow{row: row{"user64-" + x.part, "x86_64 user mode: gkbench " + x.part, x.kind}, times: 1,
			args: []string{"KIT/gkbench-x86_64", fmt.Sprint(x.work), x.part}})
	}
	const fib = "def f(n): return n if n<2 else f(n-1)+f(n-2)\nd={}\nfor i in range(200000): d[i%1000]=d.get(i%1000,0)+i\nprint(f(24),sum(d.values()))"
	const table = "create table t(a integer primary key,b text); with recursive c(x) as (select 1 union all select x+1 from c where x<100000) " +
		"insert into t select x,'v'||x from c; create index i on t(b); select count(*),sum(a),max(b) from t; select a from t where b='v777'"
	const threads = "import threading\nfor i in range(10000):\n t=threading.Thread(target=int); t.start(); t.join()"
	for _, x := range []struct {
		name, label string
		kind        kind
		times       int
		args        []string
	}{
		{"sha256", "sha256sum of 4 MiB, 16 times", integer, 1, append([]string{"/usr/bin/sha256sum"}, sixteen("BENCH/data/text")...)},
		{"xz", "xz of 4 MiB, fast", integer, 1, []string{"/usr/bin/xz", "-0", "-T1", "-c", "BENCH/data/text"}},
		{"bzip2", "bzip2 of 4 MiB", integer, 1, []string{"/usr/bin/bzip2", "-c", "BENCH/data/text"}},
		{"openssl", "openssl, sha512 of 4 MiB, 16 times", integer, 1, append([]string{"/usr/bin/openssl", "dgst", "-sha512"}, sixteen("BENCH/data/text")...)},
		{"python", "python", integer, 1, []string{"/usr/bin/python3", "-c", fib}},
		{"sqlite", "sqlite, 100,000 rows", integer, 1, []string{"/usr/bin/sqlite3", ":memory:", table}},
		{"getppid", "perl, 500,000 getppid", system, 1, []string{"/usr/bin/perl", "-e", "getppid for 1..500000"}},
		{"threads", "python, 10,000 threads", system, 1, []string{"/usr/bin/python3", "-c", threads}},
		{"fork", "400 subshells (bash)", system, 1, []string{"/bin/bash", "-c", "for ((i=0;i<400;i++)); do ( : ); done"}},
		{"exec", "400 fork+exec (bash)", system, 1, []string{"/bin/bash", "-c", "for ((i=0;i<400;i++)); do $EMULATOR /bin/true; done"}},
		{"start", "20 times true (static)", system, 20, []string{"KIT/busybox-x86_64", "true"}},
		{"dynamic", "20 times true (dynamic)", system, 20, []string{"/bin/true"}},
	} {
		rows = append(rows, userRow{row: row{"user64-" + x.name, "x86_64 user mode: " + x.label, x.kind}, times: x.times, args: x.args})
	}
	return append(rows,
		userRow{row: row{"user64-whole", "x86_64 user mode: 20 times true (static), by `rhea user`", system}, times: 20, args: []string{"KIT/busybox-x86_64", "true"}, whole: true},
		userRow{row: row{"user64-pass", "x86_64 user mode: 5 times python -c pass", system}, times: 5, args: []string{"/usr/bin/python3", "-c", "pass"}},
		userRow{row: row{"user64-cold", "x86_64 user mode: 5 times python -c pass, nothing kept", system}, times: 5, args: []string{"/usr/bin/python3", "-c", "pass"}, cold: true})
}

// qemuUser64 are the names of QEMU's user mode, in Debian's packages
// qemu-user-static and qemu-user.
var qemuUser64 = []string{"qemu-x86_64-static", "qemu-x86_64"}

func qemu64() (string, error) {
	for _, name := range qemuUser64 {
		if bin, err := exec.LookPath(name); err == nil {
			return bin, nil
		}
	}
	return "", fmt.Errorf("no qemu-x86_64: install the package qemu-user-static")
}

func needUser64(b *bench) error {
	if _, err := qemu64(); err != nil {
		return err
	}
	for _, r := range userRows64() {
		if name := r.args[0]; name[0] == '/' {
			if _, err := exec.LookPath(name); err != nil {
				return fmt.Errorf("%s is missing: it is one of Debian's own programs that are measured", name)
			}
		}
	}
	_, err := smallTree(b)
	return err
}

func runUser64(b *bench, e emulator) (map[string]outcome, error) {
	if e.name == "rhea" {
		return b.userPrograms(b.small, userRows64(), rheaUser(e), []string{e.bin, "user"}, nil)
	}
	bin, err := qemu64()
	if err != nil {
		return nil, err
	}
	return b.userPrograms(b.small, userRows64(), []string{bin}, nil, []string{"EMULATOR=" + bin})
}

func runUser64Native(b *bench) (map[string]outcome, error) {
	return b.userPrograms(b.small, userRows64(), nil, nil, nil)
}

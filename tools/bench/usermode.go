package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// This file measures user mode: the same i386 programs under rhea, under
// qemu-i386 and on the processor, each a process of its own. In a command
// BENCH is the folder of the bench's files, TREE that of Debian's programs, KIT
// that of the guests' kit.

// userRow is a program to run, Times times.
type userRow struct {
	row
	times int
	args  []string
	// whole: by the whole of rhea, not by rhea-user alone.
	whole bool
	// cold: nothing is known of what was translated before.
	cold bool
}

// userRows are programs for which QEMU takes about a second.
func userRows() (rows []userRow) {
	for _, x := range []struct {
		part string
		work int
		kind kind
	}{
		{"sieve", 150, integer}, {"mix", 40, integer}, {"mem", 60, integer}, {"sort", 30, integer}, {"call", 60, integer}, {"int64", 50, integer},
		{"matmul", 25, floating}, {"fpgen", 25, floating}, {"conv", 60, floating},
	} {
		rows = append(rows, userRow{row: row{"user-" + x.part, "user mode: gkbench " + x.part, x.kind}, times: 1,
			args: []string{"BENCH/bin/gkbench", fmt.Sprint(x.work), x.part}})
	}
	for _, x := range []struct {
		name, label string
		args        []string
	}{
		{"user-sha256", "user mode: sha256 of 4 MiB, 16 times (busybox)", append([]string{"BENCH/bin/busybox", "sha256sum"}, sixteen("BENCH/data/text")...)},
		{"user-gzip", "user mode: gzip of 4 MiB", []string{"TREE/bin/gzip", "-nc", "BENCH/data/text"}},
		{"user-xz", "user mode: xz of 4 MiB, fast", []string{"TREE/usr/bin/xz", "-0", "-T1", "-c", "BENCH/data/text"}},
		{"user-awk", "user mode: awk, words of 4 MiB (mawk)", []string{"TREE/usr/bin/mawk", awkWords, "BENCH/data/text"}},
		{"user-cc1", "user mode: C compiler, gcc -O2 (cc1)",
			[]string{"TREE/usr/lib/gcc/i686-linux-gnu/12/cc1", "-quiet", "-fpreprocessed", "-O2", "-o", "-", "BENCH/data/big.i"}},
	} {
		rows = append(rows, userRow{row: row{x.name, x.label, integer}, times: 1, args: x.args})
	}
	return append(rows,
		userRow{row: row{"user-fork", "user mode: 400 subshells", system}, times: 1,
			args: []string{"BENCH/bin/busybox", "sh", "-c", "i=0; while [ $i -lt 400 ]; do ( : ); i=$((i+1)); done"}},
		userRow{row: row{"user-start", "user mode: 20 times true (static)", system}, times: 20, args: []string{"BENCH/bin/busybox", "true"}})
}

func sixteen(s string) (list []string) {
	for range 16 {
		list = append(list, s)
	}
	return list
}

func userTable(list []userRow) (rows []row) {
	for _, r := range list {
		rows = append(rows, r.row)
	}
	return rows
}

// qemuUser are the names of QEMU's user mode, in Debian's packages
// qemu-user-static and qemu-user.
var qemuUser = []string{"qemu-i386-static", "qemu-i386"}

func needUser(b *bench) error {
	if _, err := userCommand(b, emulator{name: "QEMU"}); err != nil {
		return err
	}
	return needPackages(b)
}

// userCommand is what runs a program under an emulator.
func userCommand(b *bench, e emulator) ([]string, error) {
	// QEMU's -L alone does not lead ld.so to all libraries.
	in := []string{"-L", b.full, "-E", "LD_LIBRARY_PATH=" + b.libraries()}
	if e.name == "rhea" {
		return append(rheaUser(e), in...), nil
	}
	for _, name := range qemuUser {
		if bin, err := exec.LookPath(name); err == nil {
			return append([]string{bin}, in...), nil
		}
	}
	return nil, errors.New("no qemu-i386: install the package qemu-user-static")
}

// rheaUser is rhea-user beside rhea, as binfmt_misc should have it, or if it is
// not there `rhea user`.
func rheaUser(e emulator) []string {
	if lean := filepath.Join(filepath.Dir(e.bin), "rhea-user"); exists(lean) {
		return []string{lean}
	}
	return []string{e.bin, "user"}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func (b *bench) libraries() string {
	return filepath.Join(b.full, "lib/i386-linux-gnu") + ":" + filepath.Join(b.full, "usr/lib/i386-linux-gnu")
}

func runUser(b *bench, e emulator) (map[string]outcome, error) {
	command, err := userCommand(b, e)
	if err != nil {
		return nil, err
	}
	return b.userPrograms(b.full, userRows(), command, nil, nil)
}

// runUserNative runs the programs with their own loader, which finds their
// libraries; static ones do not need it.
func runUserNative(b *bench) (map[string]outcome, error) {
	return b.userPrograms(b.full, userRows(), nil, nil, nil)
}

// userPrograms runs programs by a command, those that are to be run by the whole
// of an emulator by another if there is one.
func (b *bench) userPrograms(tree string, list []userRow, command, whole, env []string) (map[string]outcome, error) {
	got := map[string]outcome{}
	for _, r := range list {
		args := command
		if args == nil && strings.HasPrefix(r.args[0], "TREE") {
			args = []string{filepath.Join(b.full, "lib/ld-linux.so.2"), "--library-path", b.libraries()}
		}
		if r.whole && whole != nil {
			args = whole
		}
		args = args[:len(args):len(args)]
		for _, a := range r.args {
			a = strings.ReplaceAll(a, "TREE/", tree+"/")
			a = strings.ReplaceAll(a, "KIT/", b.guest("user")+"/")
			args = append(args, strings.ReplaceAll(a, "BENCH/", filepath.Join(tree, "bench")+"/"))
		}
		kept, first := filepath.Join(b.dir, "code"), -1 // the first is not counted: rhea keeps what it has translated then
		if r.cold {
			kept, first = "off", 0
		}
		var o outcome
		for i := first; i < r.times; i++ {
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Env = append(append(os.Environ(), "RHEA_CODE_CACHE="+kept), env...)
			start := time.Now()
			out, err := cmd.Output()
			wall := time.Since(start)
			if err != nil {
				return nil, fmt.Errorf("%s: %w: %s", r.name, err, bytes.TrimSpace(out))
			}
			if i < 0 {
				continue
			}
			o.used.wall += wall
			o.used.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			o.sum = shortSum(out)
		}
		got[r.name] = o
	}
	return got, nil
}

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// kind is what a row counts as.
type kind int

const (
	system   kind = iota // whole boots, processes: CPU rows too
	integer              // compute-bound
	floating             // floating point and SIMD
	device               // input and output: no CPU row
)

// step is a piece of work in the guest. The same shell command does it natively,
// in a folder that holds the guest's files.
type step struct {
	name, label string
	kind        kind
	setup       string // before, not measured
	do          string
	guestOnly   bool
}

// script is the guest's init for steps. Markers go through the kernel's log,
// which is written to the console before the write returns; what a step writes
// is summed up behind it, and must be the same everywhere.
func script(steps []step) string {
	var b strings.Builder
	b.WriteString(`#!/bin/sh
PATH=/bin:/sbin:/usr/bin:/usr/sbin; export PATH
B=/bench/bin/busybox
mount -t proc proc /proc
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /tmp
mark() { echo "<1>@@ $*" >/dev/kmsg; }
end() {
	rc=$?
	mark "end $1 $rc"
	[ $rc = 0 ] || { echo "<1>$(tail -n 1 /tmp/err)" >/dev/kmsg; }
	mark "sum $1 $(sha256sum </tmp/out | cut -c1-16)"
}
`)
	for _, s := range steps {
		if s.setup != "" {
			fmt.Fprintf(&b, "%s\n", s.setup)
		}
		fmt.Fprintf(&b, "mark begin %s\n{ %s; } >/tmp/out 2>/tmp/err\nend %s\n", s.name, s.do, s.name)
	}
	b.WriteString("mark done\nsync\nreboot -f\n")
	return b.String()
}

// outcome of a step.
type outcome struct {
	used stamp
	sum  string
}

// follow reads a guest's markers.
func follow(p *process, steps []step, limit time.Time) (map[string]outcome, error) {
	got := map[string]outcome{}
	for _, s := range steps {
		begin, err := p.expect("@@ begin "+s.name+"\r", limit)
		if err != nil {
			return nil, err
		}
		end, err := p.expect("@@ end "+s.name+" ", limit)
		if err != nil {
			return nil, err
		}
		rc, err := p.line(limit)
		if err != nil {
			return nil, err
		}
		if _, err := p.expect("@@ sum "+s.name+" ", limit); err != nil {
			return nil, err
		}
		if rc != "0" {
			return nil, fmt.Errorf("%s failed in the guest with status %s: %s", s.name, rc, p.tail())
		}
		sum, err := p.line(limit)
		if err != nil {
			return nil, err
		}
		got[s.name] = outcome{end.minus(begin), sum}
	}
	_, err := p.expect("@@ done", limit)
	return got, err
}

// native does a step on this processor. The first of steps' setups that make
// files for it are run before.
func native(root string, s step) (outcome, error) {
	var o outcome
	run := func(command string) error {
		cmd := exec.Command("/bench/bin/busybox", "sh", "-c", "B=/bench/bin/busybox; "+command)
		inRoot(cmd, root)
		start := time.Now()
		out, err := cmd.CombinedOutput()
		o.used.wall = time.Since(start)
		if err != nil {
			return fmt.Errorf("natively: %s: %w: %s", s.name, err, strings.TrimSpace(string(out)))
		}
		o.used.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		return nil
	}
	if s.setup != "" {
		if err := run(s.setup); err != nil {
			return o, err
		}
	}
	if err := run("{ " + s.do + "; } >/tmp/out 2>/tmp/err"); err != nil {
		return o, err
	}
	used := o.used
	out, err := os.ReadFile(filepath.Join(root, "tmp/out"))
	o.used, o.sum = used, shortSum(out)
	return o, err
}

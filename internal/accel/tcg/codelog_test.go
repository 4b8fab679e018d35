package tcg_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"rhea/internal/accel"
	"rhea/internal/accel/tcg"
	"rhea/internal/guest/x86"
	"rhea/internal/ir"
	"rhea/internal/trace"
)

// stopPort ends a run when the guest writes to it; other ports do nothing.
const stopPort = 0x7f

type ports struct{ r *rig }

func (p *ports) Read(uint64, int) uint64 { return 0 }
func (p *ports) Write(off uint64, _ int, _ uint64) {
	if off == stopPort {
		p.r.vcpu.Kick()
	}
}

// newFlatRig has code in hexadecimal at 0x10000, at CPL 0 without paging.
func newFlatRig(t testing.TB, engine, code string, more ...func(*tcg.Config)) *rig {
	p := &ports{}
	r := newRigEngine(t, engine, "max", 4<<20, p, more...)
	p.r = r
	b, err := hex.DecodeString(strings.ReplaceAll(code, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	copy(r.ram[0x10000:], b)
	r.cpu.SetRegisters(func(s *x86.State) {
		s.CR0 = 0x11
		for i := range s.Seg {
			s.Seg[i] = x86.Segment{Sel: 0x10, Limit: 0xffffffff, Attr: 0xcf9300}
		}
		s.Seg[x86.CS] = x86.Segment{Sel: 8, Limit: 0xffffffff, Attr: 0xcf9b00}
		s.GPR[4], s.IP = 0x20000, 0x10000
	})
	return r
}

// logged runs a program that has a load, a helper in the middle of a unit and
// a loop, and returns what was logged.
func logged(t *testing.T, engine string, items trace.Item) (log, perf string, r *rig) {
	var out, m bytes.Buffer
	r = newFlatRig(t, engine, "bb03000000 a100001000 e640 0fc8 4b 75f4 e67f ebfe", func(c *tcg.Config) {
		c.Log, c.PerfMap = trace.New(&out, items), &m
	})
	if exit, err := r.vcpu.Run(0); err != nil || exit != accel.Kicked {
		t.Fatalf("exit %v, %v", exit, err)
	}
	if s := r.cpu.Registers(); s.GPR[3] != 0 {
		t.Fatalf("EBX is %#x, want 0", s.GPR[3])
	}
	return out.String(), m.String(), r
}

func TestLogMachineCode(t *testing.T) {
	if !tcg.Available() {
		t.Skip("no translator for this host")
	}
	out, _, _ := logged(t, "tcg", trace.OutAsm)
	units := strings.Split(out, "OUT: ")[1:]
	if len(units) < 2 {
		t.Fatalf("%d units:\n%s", len(units), out)
	}
	line := regexp.MustCompile(`^0x([0-9a-f]{8,}):  ((?:[0-9a-f]{2})+) +(\S.*)$`)
	helpers, loads := 0, 0
	for _, u := range units {
		var size, next, at uint64
		lines := strings.Split(strings.TrimSpace(u), "\n")
		if _, err := fmt.Sscanf(lines[0], "[size=%d]", &size); err != nil {
			t.Fatalf("%q: %v", lines[0], err)
		}
		exit := false
		for i, l := range lines[1:] {
			f := line.FindStringSubmatch(l)
			if f == nil {
				t.Fatalf("bad line %q", l)
			}
			fmt.Sscanf(f[1], "%x", &at)
			if i > 0 && at != next {
				t.Errorf("%q: at %#x, want %#x", l, at, next)
			}
			next = at + uint64(len(f[2])/2)
			size -= uint64(len(f[2]) / 2)
			site := strings.HasPrefix(f[3], "site ")
			if site != exit {
				t.Errorf("%q: a site's record stands behind each call of the exit stub, and there only:\n%s", l, u)
			}
			exit = strings.HasPrefix(f[3], "call exit")
			if strings.HasPrefix(f[3], "db ") || strings.Contains(f[3], "bad") {
				t.Errorf("%q", l)
			}
			if site && strings.Contains(f[3], "call, pc 0x1000a, helper ") {
				helpers++
			}
			if site && strings.Contains(f[3], "load, pc 0x10005, 4 bytes") {
				loads++
			}
		}
		if size != 0 {
			t.Errorf("%d bytes are not shown:\n%s", size, u)
		}
	}
	if helpers == 0 || loads == 0 {
		t.Errorf("%d sites of OUT, %d of the load:\n%s", helpers, loads, out)
	}
}

func TestLogOptimized(t *testing.T) {
	eachEngine(t, func(t *testing.T) {
		out, _, r := logged(t, engineOf(t), trace.OpOpt)
		units := strings.Split(out, "OP after optimization:\n")[1:]
		least, first := 2, "insn 0x10000"
		if engineOf(t) == "quick" { // the loop alone
			least, first = 1, "insn 0x1000c"
		}
		if len(units) < least {
			t.Fatalf("%d units:\n%s", len(units), out)
		}
		for _, u := range units {
			if _, err := ir.Parse(u, r.cpu.Slots()); err != nil {
				t.Errorf("%v:\n%s", err, u)
			}
		}
		if !strings.Contains(units[0], first) {
			t.Errorf("the first unit is not that of the first instruction:\n%s", units[0])
		}
	})
}

// The map names what lies where, each byte at most once.
func TestPerfMap(t *testing.T) {
	if !tcg.Available() {
		t.Skip("no translator for this host")
	}
	_, perf, _ := logged(t, "tcg", 0)
	names, end := map[string]bool{}, uint64(0)
	for _, l := range strings.Split(strings.TrimSuffix(perf, "\n"), "\n") {
		var at, size uint64
		var name string
		if n, err := fmt.Sscanf(l, "%x %x tb-%s", &at, &size, &name); n != 3 || err != nil {
			t.Fatalf("%q: %v", l, err)
		}
		if at < end || size == 0 || names[name] {
			t.Errorf("%q begins before %#x, is empty, or known", l, end)
		}
		end, names[name] = at+size, true
	}
	if !names["stubs"] || !names["10000"] {
		t.Errorf("the stubs and the first unit are not there:\n%s", perf)
	}
	if _, perf, _ := logged(t, "interp", 0); perf != "" {
		t.Errorf("the interpreter has machine code: %s", perf)
	}
}

package tcg_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fuzzWay is one way of running a program. The first is the reference: the
// interpreter, instruction by instruction.
type fuzzWay struct {
	rig    *fuzzRig
	name   string
	every  int // of so many programs
	steps  bool
	kicks  bool // kicked from outside all the time
	budget func(rnd *rand.Rand) int64
}

// fuzzer compares them.
type fuzzer struct {
	t      testing.TB
	ways   []fuzzWay
	fresh  func(testing.TB) []fuzzWay
	wide   bool           // the processor has 64 bits
	before []*fuzzProgram // that the machines have run
	count  int            // instructions that the reference ran
	hot    int            // of them in programs with a long loop
	ran    int            // programs
	ends   map[string]int
	modes  [fuzzModes]int
	events map[string]int
}

// Who goes on after so many has a loop without an end.
const (
	fuzzSteps = 4000
	hotSteps  = 50000
)

func newFuzzer(t testing.TB) *fuzzer {
	f := &fuzzer{t: t, fresh: newWays, ends: map[string]int{}, events: map[string]int{}}
	f.ways = f.fresh(t)
	return f
}

// renew replaces the machines.
func (f *fuzzer) renew() {
	for i := range f.ways {
		f.ways[i].rig.vcpu.Close()
	}
	f.ways = f.fresh(f.t)
}

func newWays(t testing.TB) []fuzzWay { return waysOf(t, "max") }

func waysOf(t testing.TB, model string) (ways []fuzzWay) {
	single := func(*rand.Rand) int64 { return 1 }
	freely := func(*rand.Rand) int64 { return 0 }
	pieces := func(rnd *rand.Rand) int64 { return 1 + rnd.Int64N(40) }
	for i, e := range engines() {
		r := newFuzzRig(t, e, model)
		steps := fuzzWay{rig: r, name: e + " in steps", every: 1, steps: true, budget: single}
		if i > 0 {
			steps.every = 8
		}
		ways = append(ways, steps,
			fuzzWay{rig: r, name: e, every: 1, budget: freely},
			fuzzWay{rig: r, name: e + " in pieces", every: 6, budget: pieces},
			fuzzWay{rig: r, name: e + " under kicks", every: 6, kicks: true, budget: freely})
	}
	return ways
}

// run runs a program one way.
func (f *fuzzer) run(w *fuzzWay, p *fuzzProgram, image []byte, most uint64) (*fuzzOutcome, int) {
	rnd := rand.New(rand.NewPCG(p.m.seed, 3))
	w.rig.prepare(p, image)
	if w.kicks {
		defer w.rig.kickAlways()()
	}
	end, n := w.rig.run(f.t, most, func() int64 { return w.budget(rnd) })
	return w.rig.outcome(end), int(n)
}

// compare runs a program in all ways and returns what differs. Only counts of
// the first run of a program are kept.
func (f *fuzzer) compare(p *fuzzProgram, all bool) string {
	image := p.image(f.t)
	limit := uint64(fuzzSteps)
	if p.m.hot {
		limit = hotSteps
	}
	want, n := f.run(&f.ways[0], p, image, limit)
	if !all {
		f.count += n
		f.ran++
		f.ends[want.end]++
		if p.m.hot {
			f.hot += n
		}
		f.modes[p.m.mode]++
		for i := range want.events {
			f.events[fmt.Sprintf("%s %x", want.events[i].what, want.events[i].port)]++
		}
	}
	for i := range f.ways[1:] {
		w := &f.ways[i+1]
		if !all && f.ran%w.every != 0 {
			continue
		}
		most := uint64(1 << 40)
		if want.end == "goes on" { // by instructions only can that be compared
			if !w.steps {
				continue
			}
			most = limit
		}
		got, _ := f.run(w, p, image, most)
		if d := want.differs(got); d != "" {
			return fmt.Sprintf("%s, and %s: %s", f.ways[0].name, w.name, d)
		}
	}
	return ""
}

// fails says whether a program fails on new machines: those that have failed
// may do so for ever.
func (f *fuzzer) fails(p *fuzzProgram) bool {
	if f.compare(p, true) == "" {
		return false
	}
	f.renew()
	return f.compare(p, true) != ""
}

// minimize drops what is not needed for a difference.
func (f *fuzzer) minimize(p *fuzzProgram) *fuzzProgram {
	limit := time.Now().Add(time.Minute)
	f.renew()
	for size := max(len(p.items)/2, 1); size > 0; {
		smaller := false
		for from := 0; from+size <= len(p.items) && time.Now().Before(limit); {
			if q := p.without(from, size); f.fails(q) {
				p, smaller = q, true
				f.renew()
			} else {
				from += size
			}
		}
		if !smaller || size > len(p.items) {
			size /= 2
		}
	}
	return p
}

// needed finds out after which programs before it p goes wrong.
func (f *fuzzer) needed(before []*fuzzProgram, p *fuzzProgram) string {
	fails := func(before []*fuzzProgram) bool {
		f.renew()
		for _, q := range before {
			f.compare(q, true)
		}
		return f.compare(p, true) != ""
	}
	limit := time.Now().Add(time.Minute)
	n := 1
	for ; !fails(before[max(0, len(before)-n):]); n *= 2 {
		if n > len(before) {
			return "nor after the programs before it, always\n"
		}
	}
	before = before[max(0, len(before)-n):]
	for i := 0; i < len(before) && time.Now().Before(limit); {
		if less := slices.Delete(slices.Clone(before), i, i+1); fails(less) {
			before = less
		} else {
			i++
		}
	}
	text := ""
	for _, q := range before {
		text += fmt.Sprintf("but after\n%v\n%s", &q.m, q.listing())
	}
	f.renew()
	return text
}

// try runs the program that rnd makes.
func (f *fuzzer) try(name string, rnd *rand.Rand) bool {
	p := newProgram(rnd, f.wide)
	d := f.compare(p, false)
	if d == "" {
		f.before = append(f.before[max(0, len(f.before)-255):], p)
		return true
	}
	// Machines are used for many programs. What is wrong with one is not to be
	// blamed on the next.
	f.renew()
	before := f.before
	f.before = nil
	if f.compare(p, true) == "" {
		f.t.Errorf("%s: %s\nbut not on a new machine:\n%v\n%s%s", name, d, &p.m, p.listing(), f.needed(before, p))
		return false
	}
	small := f.minimize(p)
	f.renew()
	f.t.Errorf("%s: %s\n%v\n%s\nsmallest program:\n%v\n%s%s", name, d, &p.m, p.listing(), &small.m, small.listing(), f.compare(small, true))
	return false
}

func (f *fuzzer) seed(n uint64) bool {
	return f.try(fmt.Sprintf("program %d", n), rand.New(rand.NewPCG(n, 4)))
}

func (f *fuzzer) report() string {
	return fmt.Sprintf("%d programs, %d guest instructions in each engine, %d of them in long loops; ends %v; modes %v", f.ran, f.count, f.hot, f.ends, f.modes)
}

// FuzzEngines lets go's fuzzer steer the programs.
func FuzzEngines(ff *testing.F) {
	for i := range 50 {
		ff.Add([]byte(strconv.Itoa(i)))
	}
	f := newFuzzer(ff)
	ff.Fuzz(func(t *testing.T, data []byte) {
		f.t = t
		f.try("the program", newTape(data))
	})
}

// TestEnginesAgree runs random programs in all ways there are: all engines, in
// units and in single steps. RHEA_FUZZ=N runs until each engine has executed N
// guest instructions, RHEA_FUZZ_SEED says where to begin.
func TestEnginesAgree(t *testing.T) { testEnginesAgree(t, newFuzzer(t)) }

// TestEnginesAgree64 is the same on a 64-bit processor.
func TestEnginesAgree64(t *testing.T) {
	f := newFuzzer(t)
	f.wide = true
	f.fresh = func(t testing.TB) []fuzzWay { return waysOf(t, "x86_64 max") }
	f.renew()
	testEnginesAgree(t, f)
}

func testEnginesAgree(t *testing.T, f *fuzzer) {
	long, _ := strconv.ParseFloat(os.Getenv("RHEA_FUZZ"), 64)
	from, _ := strconv.ParseUint(os.Getenv("RHEA_FUZZ_SEED"), 10, 64)
	programs := uint64(3000)
	if testing.Short() {
		programs = 500
	}
	said := time.Now()
	failed := 0
	for n := from; f.count < int(long) || long == 0 && n < from+programs; n++ {
		if !f.seed(n) {
			if failed++; failed >= 5 {
				break
			}
		}
		if long > 0 && time.Since(said) > 10*time.Second {
			said = time.Now()
			fmt.Fprintf(os.Stderr, "fuzz: %d programs, %d instructions\n", f.ran, f.count)
		}
	}
	t.Log(f.report())
	if long > 0 {
		fmt.Fprintln(os.Stderr, "fuzz:", f.report())
	}
	// A fuzzer that does not get anywhere finds nothing.
	if failed == 0 && f.ran >= 500 {
		for m, n := range f.modes {
			least := f.ran / 20
			if long := fuzzMode(m) >= modeLong0; long != f.wide {
				least = f.ran / 100 * b2i(f.wide)
			}
			if n < least {
				t.Errorf("%d programs of %d in mode %v", n, f.ran, fuzzMode(m))
			}
		}
		var missing []string
		for _, e := range []string{"in 0", "in 1", "in 3", "in 4", "in 5", "in 6", "in b", "in c", "in d", "in e", "in 10", "in 11", "in 13", "in 21"} {
			if f.events[e] < 3 {
				missing = append(missing, e)
			}
		}
		if len(missing) > 0 && !testing.Short() {
			t.Errorf("too few events %v: %v", missing, f.events)
		}
		if ended := f.ends["end"]; ended < f.ran/2 || f.ends["goes on"] > f.ran/5 || f.ends["stuck"] > 0 || f.count < f.ran*20 {
			t.Errorf("too few programs come to their end: %s", f.report())
		}
	}
}

// TestFuzzerFinds: a processor that lacks something is found out, by a program
// that is small and uses it.
func TestFuzzerFinds(t *testing.T) {
	for feature, use := range map[string]string{"cmov": "cmov", "cx8": "cmpxchg8b", "sse2": "xmm", "mmx": "mm"} {
		f := newFuzzer(t)
		f.fresh = func(t testing.TB) []fuzzWay {
			without := newFuzzRig(t, engines()[0], "max,-"+feature)
			return append(newWays(t)[:1:1], fuzzWay{rig: without, name: "without", every: 1, budget: func(*rand.Rand) int64 { return 0 }})
		}
		f.renew()
		var small *fuzzProgram
		for n := uint64(0); n < 5000 && small == nil; n++ {
			p := newProgram(rand.New(rand.NewPCG(n, 5)), false)
			if p.m.breaks || p.m.flags&0x100 != 0 {
				continue
			}
			if f.compare(p, false) != "" {
				small = f.minimize(p)
			}
		}
		if small == nil {
			t.Errorf("%s is not missed", feature)
		} else if text := small.listing(); !strings.Contains(text, use) && !strings.Contains(text, "cpuid") || len(small.items) > 4 {
			t.Errorf("%s: smallest program:\n%s%s", feature, text, f.compare(small, true))
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

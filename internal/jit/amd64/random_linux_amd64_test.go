package amd64

import (
	"math/rand"
	"testing"
	"time"

	"rhea/internal/ir"
	"rhea/internal/ir/irtest"
)

// rig is what random units run on: machines that differ in which slots live
// in registers, and what is too large to make anew for each unit.
type rig struct {
	machines  []*machine
	want      ir.Frame
	base      [1 << 17]byte // random bytes, of which memory takes a part
	plain     irtest.Memory
	got       irtest.Memory
	misses    int
	exits     map[string]int
	evictions int // units that use a spill word
	loops     int // with vectors in registers
}

// variants are the slots in registers: those of integers, and of vectors.
var variants = []struct {
	hot, vectors []ir.Slot
	bmi2         bool
}{
	{nil, nil, false},
	{[]ir.Slot{1, 2, 3, 4, 5, 6, 7, 9}, []ir.Slot{10, 12, 14}, false},
	{[]ir.Slot{5, 1, 7}, []ir.Slot{12}, false},
	{[]ir.Slot{9, 7, 4, 6, 2}, nil, true},
}

func newRig(t testing.TB) *rig {
	g := &rig{exits: map[string]int{}}
	for _, v := range variants {
		s := irtest.Slots()
		s.Hot, s.Vectors = v.hot, v.vectors
		g.machines = append(g.machines, newMachine(t, s, v.bmi2, irtest.Helpers))
	}
	rand.New(rand.NewSource(1)).Read(g.base[:])
	return g
}

// check makes the unit of a seed and compares machine code with the IR's
// definition, each from two states.
func (g *rig) check(t *testing.T, seed int64) {
	r := rand.New(rand.NewSource(seed))
	m := g.machines[r.Intn(len(g.machines))]
	u := ir.Unit{Slots: m.c.cfg.Slots}
	o := irtest.Options{Pressure: r.Intn(2) == 0, Loops: r.Intn(4) == 0}
	irtest.Generate(r, &u, o)
	if err := u.Verify(); err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, &u)
	}
	m.t = t
	text := u.String() // Compile may change it
	defer func() {
		if p := recover(); p != nil {
			t.Logf("seed %d (hot %v):\n%s", seed, u.Slots.Hot, text)
			panic(p)
		}
	}()
	pc := uint64(r.Intn(1 << 16))
	if o.Loops {
		pc = irtest.Self
	}
	at := m.compile(&u, pc, false)
	if o.Loops && r.Intn(4) != 0 {
		g.loops += m.closeLoops(at)
	}
	if m.c.word > spillWord {
		g.evictions++
	}
	for range 2 {
		m.direct, m.write = uint16(r.Uint32()), uint16(r.Uint32())
		irtest.State(r, u.Slots, &g.want)
		copy(g.plain[:], g.base[r.Intn(len(g.base)-len(g.plain)):])
		copy(m.frame[:irtest.Words], g.want[:irtest.Words])
		m.setMemory(&g.plain, r.Intn(2) == 0)

		result, exit := "", ""
		for again := true; again; again = result == "link" && g.want[irtest.PC] == irtest.Self {
			result = irtest.Evaluate(&u, &g.want, &g.plain, irtest.Helpers(&g.want))
		}
		for again := true; again; again = exit == "link" && m.frame[irtest.PC] == irtest.Self {
			exit = m.run(at)
		}
		if exit != result {
			t.Fatalf("seed %d: left by %s, want %s\n%s", seed, exit, result, text)
		}
		for i, w := range g.want[:irtest.Words] {
			if m.frame[i] != w {
				t.Fatalf("seed %d: after %s, slot %s (word %d) is %#x, want %#x (hot %v)\n%s",
					seed, result, u.Slots.Name(ir.Slot(i)), i, m.frame[i], w, u.Slots.Hot, text)
			}
		}
		if m.getMemory(&g.got); g.got != g.plain {
			for i := range g.got {
				if g.got[i] != g.plain[i] {
					t.Fatalf("seed %d: after %s, memory at %#x is %#x, want %#x\n%s", seed, result, i, g.got[i], g.plain[i], text)
				}
			}
		}
		g.misses += m.misses
		kind := result
		for i, c := range kind {
			if c == ' ' {
				kind = kind[:i]
				break
			}
		}
		g.exits[kind]++
	}
}

// TestRandomUnits runs as many units as are done in a second or so, at least
// some thousands.
func TestRandomUnits(t *testing.T) {
	g := newRig(t)
	n, start := int64(0), time.Now()
	for ; n < 4000 || n < 20000 && !testing.Short() && time.Since(start) < 3*time.Second; n++ {
		g.check(t, n)
	}
	t.Logf("%d units, %d with values in memory, %d loops; %d accesses by way of Go; left by %v", n, g.evictions, g.loops, g.misses, g.exits)
	if g.evictions < int(n)/10 || g.loops < int(n)/40 || g.misses < int(n)/10 {
		t.Error("the units do not exercise what they are for")
	}
	for _, kind := range []string{"link", "indirect", "exit", "stop", "fault", "guard"} {
		if g.exits[kind] < 20 {
			t.Errorf("only %d units were left by %s", g.exits[kind], kind)
		}
	}
}

func FuzzUnits(f *testing.F) {
	g := newRig(f)
	f.Add(int64(1))
	f.Fuzz(func(t *testing.T, seed int64) { g.check(t, seed) })
}

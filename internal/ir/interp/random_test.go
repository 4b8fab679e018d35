package interp

import (
	"fmt"
	"math/rand"
	"testing"

	"rhea/internal/guest"
	"rhea/internal/ir"
	"rhea/internal/ir/irtest"
)

// This file compares the engine with a plain evaluator of the IR's definition
// on random units.

// paged is 64 KiB of memory; some of its pages get into the TLB.
type paged struct {
	flat
	m      *Machine
	direct uint16 // of the 16 pages: may be accessed directly
	write  uint16 // and written
}

func (p *paged) fill(va uint64, index int) {
	if n := va >> 12; n < 16 && p.direct>>n&1 != 0 {
		page := (*[4096]byte)(p.Memory[n<<12:])
		p.m.TLB[index].At(va).Fill(page, true, p.write>>n&1 != 0, Slow{Tag: n << 12})
	}
}

func (p *paged) MissLoad(va uint64, size, index int, rmw bool) (uint64, *guest.Fault) {
	p.fill(va, index)
	return p.flat.MissLoad(va, size, index, rmw)
}

func (p *paged) MissStore(va uint64, size, index int, v uint64, c *Code) (*guest.Fault, bool) {
	p.fill(va, index)
	return p.flat.MissStore(va, size, index, v, c)
}

// compareUnit makes a unit of seed and runs it both ways, twice from
// different states.
func compareUnit(t *testing.T, seed int64) {
	r := rand.New(rand.NewSource(seed))
	u := ir.Unit{Slots: irtest.Slots()}
	irtest.Generate(r, &u, irtest.Options{Pressure: seed%4 == 3})
	if err := u.Verify(); err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, &u)
	}
	for range 2 {
		var want, got ir.Frame
		var plain irtest.Memory
		p := &paged{direct: uint16(r.Uint32()), write: uint16(r.Uint32())}
		irtest.State(r, u.Slots, &want)
		r.Read(plain[:])
		copy(got[:irtest.Words], want[:irtest.Words])
		p.Memory = plain

		result := irtest.Evaluate(&u, &want, &plain, irtest.Helpers(&want))
		p.m = NewMachine(&got, u.Slots, p)
		code := NewLowerer(irtest.Helpers(&got)).Lower(&u)
		var exit string
		switch p.m.Run(code) {
		case Linked:
			exit = "link"
		case Indirect:
			exit = "indirect"
		case Loop:
			exit = "exit"
		case Stopped:
			exit = "stop"
		case Faulted:
			exit = fmt.Sprintf("fault %x", p.m.Fault.Addr)
		case Guarded:
			exit = fmt.Sprintf("guard %d", p.m.Arg)
		}
		if exit != result {
			t.Fatalf("seed %d: left by %s, want %s\n%s", seed, exit, result, &u)
		}
		for i := range want[:irtest.Words] {
			if got[i] != want[i] {
				t.Fatalf("seed %d: after %s, slot %s (word %d) is %#x, want %#x\n%s", seed, exit, u.Slots.Name(ir.Slot(i)), i, got[i], want[i], &u)
			}
		}
		if p.Memory != plain {
			t.Fatalf("seed %d: memory differs\n%s", seed, &u)
		}
	}
}

func TestRandomUnits(t *testing.T) {
	n := int64(3000)
	if testing.Short() {
		n = 1000
	}
	for seed := range n {
		compareUnit(t, seed)
	}
}

func FuzzUnits(f *testing.F) {
	f.Add(int64(1))
	f.Fuzz(func(t *testing.T, seed int64) { compareUnit(t, seed) })
}

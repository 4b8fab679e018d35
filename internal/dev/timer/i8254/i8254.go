// Package i8254 models the Intel 8254 programmable interval timer (order
// number 231164-005) of a PC, whose three counters run at 1193182 Hz.
//
// There is no timer per tick: OUT is computed from the time, and a clock
// timer is set to the next edge of a connected OUT only. When the host is
// late, the edges that have passed come as one, so that none of a sequence's
// last is lost and the catching up is bounded.
package i8254

import (
	"math/bits"

	"rhea/internal/dev"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

// Hz is the frequency of the counters' CLK.
const Hz = 1193182

// minTicks is the closest in which edges are served one by one (10 us): a
// guest that sets a count of 2 must not keep the host busy with it.
const minTicks = 12

// Config connects a timer.
type Config struct {
	Env dev.Env
	Out [3]irq.Line // OUT0 is a PC's IRQ 0
	// Watch2, if not nil, is called before OUT2 goes on differently from what
	// Level2 said: at clock number to.
	Watch2 func(to int64)
}

// Timer is an 8254.
type Timer struct {
	c     Config
	ctr   [3]counter
	timer [3]*vclock.Timer // nil where OUT is not connected
}

// New returns a timer. All GATEs are high until driven.
func New(c Config) *Timer {
	t := &Timer{c: c}
	for i := range t.ctr {
		t.ctr[i].gate = true
		t.ctr[i].out = c.Out[i]
		if c.Out[i] != nil {
			t.timer[i] = c.Env.Clock.NewTimer(t.Settle)
		}
	}
	t.ctr[2].watch = c.Watch2
	t.Reset()
	return t
}

// Reset implements dev.Device.
func (t *Timer) Reset() {
	for i := range t.ctr {
		t.ctr[i].reset()
		t.ctr[i].seen = t.now()
	}
}

// Region returns the registers (ports 40h-43h).
func (t *Timer) Region() *mem.Region { return mem.NewIO("pit", 4, t).Sizes(1, 1) }

// now returns the number of clocks since the start of time.
func (t *Timer) now() int64 { return toTicks(t.c.Env.Clock.Now()) }

func toTicks(ns int64) int64 {
	hi, lo := bits.Mul64(uint64(max(ns, 0)), Hz)
	q, _ := bits.Div64(hi, lo, uint64(vclock.Second)) // hi < Hz < Second
	return int64(min(q, uint64(never)))
}

// toNS returns when clock number n comes.
func toNS(n int64) int64 {
	n = min(max(n, 0), never)
	hi, lo := bits.Mul64(uint64(n), uint64(vclock.Second))
	lo, carry := bits.Add64(lo, Hz-1, 0)
	q, _ := bits.Div64(hi+carry, lo, Hz) // hi < 2^17 for n <= 2^51
	return int64(q)
}

// Gate returns the GATE input of counter n.
func (t *Timer) Gate(n int) irq.Line {
	c := &t.ctr[n]
	return func(level bool) {
		if c.gate != level {
			c.setGate(t.now(), level)
			t.Settle()
		}
	}
}

// Out returns the level of OUT n (a PC reads OUT2 at port 61h).
func (t *Timer) Out(n int) bool {
	t.Settle()
	return t.ctr[n].level(t.now())
}

// Level2 returns OUT2 at a clock number, from the last call of Watch2 to that of
// Now2, and the number up to which it stays so if nothing changes: so a speaker
// can follow it.
func (t *Timer) Level2(at int64) (level bool, until int64) {
	c := &t.ctr[2]
	return c.level(at), c.until(at)
}

// Now2 brings OUT2 up to date, which may call Watch2, and returns the number of
// the current clock.
func (t *Timer) Now2() int64 {
	t.Settle()
	return t.now()
}

// Settle implements dev.Settler.
func (t *Timer) Settle() {
	now := t.now()
	for i := range t.ctr {
		c := &t.ctr[i]
		c.advance(now)
		if c.out == nil {
			c.rose = false
			continue
		}
		level := c.level(now)
		if c.rose {
			// Edges since the last time: they come as one.
			c.rose = false
			c.out.Set(false)
			c.out.Set(true)
		}
		c.out.Set(level)
		next := c.nextEvent(now)
		if next >= never {
			t.timer[i].Stop()
			continue
		}
		if c.loaded && c.n < minTicks && (c.mode == 2 || c.mode == 3) {
			next = max(next, now+minTicks)
		}
		t.timer[i].Set(toNS(next))
	}
}

// Read implements mem.MMIO.
func (t *Timer) Read(off uint64, _ int) uint64 {
	if off&3 == 3 {
		return 0xff // "no operation, 3-state"
	}
	v := t.ctr[off&3].read(t.now())
	t.Settle()
	return uint64(v)
}

// Write implements mem.MMIO.
func (t *Timer) Write(off uint64, _ int, v uint64) {
	t.Settle() // edges up to now are the old setting's
	now := t.now()
	if off&3 == 3 {
		t.control(now, uint8(v))
	} else {
		t.ctr[off&3].write(now, uint8(v))
	}
	t.Settle()
}

// control writes the control word register.
func (t *Timer) control(now int64, v uint8) {
	if v>>6 == 3 { // read-back
		for i := range t.ctr {
			c := &t.ctr[i]
			if v>>(1+i)&1 == 0 {
				continue
			}
			c.advance(now)
			if v&(1<<5) == 0 {
				c.latchCount(now)
			}
			if v&(1<<4) == 0 {
				c.latchStatus(now)
			}
		}
		return
	}
	c := &t.ctr[v>>6]
	if v>>4&3 == rwLatch {
		c.advance(now)
		c.latchCount(now)
		return
	}
	c.control(now, v)
}

// State implements dev.Device. Times are of the machine's clock.
func (t *Timer) State(s *snap.Section) {
	s.Version(1)
	s.Sub("counter0", t.ctr[0].state)
	s.Sub("counter1", t.ctr[1].state)
	s.Sub("counter2", t.ctr[2].state)
}

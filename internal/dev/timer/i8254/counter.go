package i8254

import (
	"rhea/internal/irq"
	"rhea/internal/snap"
)

// never is a tick that does not come (60 years), and the bound of all ticks.
const never = int64(1) << 51

// Values of the control word's RW field.
const (
	rwLatch = 0
	rwLSB   = 1
	rwMSB   = 2
	rwBoth  = 3
)

// counter is one of the three. Nothing counts here: the counting element and
// OUT are computed from the number of clocks since it was loaded.
type counter struct {
	mode    uint8 // 0..5
	rw      uint8 // 1..3
	bcd     bool
	gate    bool
	written bool // a count has been written since the control word

	lsb       uint8 // written, the MSB is awaited
	writeHigh bool
	readHigh  bool
	latch     uint16
	latched   bool
	status    uint8
	statusSet bool

	cr     uint16 // count register
	null   bool   // CR is not yet in CE
	loadAt int64  // the clock at which CR goes into CE

	loaded   bool
	n        int   // what was loaded, 1..65536
	at       int64 // the clock at which it was
	held     int64 // clocks counted when GATE went low
	startLow bool  // mode 3: OUT was low when CE was loaded

	seen int64 // OUT has been driven up to this clock
	rose bool  // a rising edge of OUT since then

	// The wires (not state).
	out   irq.Line
	watch func(to int64)
}

func (c *counter) reset() {
	// After power-on "mode, count value and output are undefined": here the
	// counter stands still with OUT high until a control word comes.
	*c = counter{mode: 3, rw: rwBoth, gate: c.gate, loadAt: never, n: 65536, seen: c.seen, out: c.out, watch: c.watch}
}

// changes tells who watches OUT that it goes on differently at clock t.
func (c *counter) changes(t int64) {
	if c.watch != nil {
		c.watch(t)
	}
}

// until returns the clock after t to which OUT stays as it is at t, as long as
// nothing changes.
func (c *counter) until(t int64) int64 {
	e := c.elapsed(t)
	if c.mode == 2 && c.loaded && !c.stopped() && c.n > 1 {
		// nextEvent leaves out that OUT falls.
		if left := int64(c.n) - e%int64(c.n); left > 1 {
			return t + left - 1
		}
		return t + 1
	}
	return max(c.nextEvent(t), t+1)
}

func (c *counter) modulus() int {
	if c.bcd {
		return 10000
	}
	return 65536
}

// initial returns CR as a number of clocks: 0 is the largest.
func (c *counter) initial() int {
	n := int(c.cr)
	if c.bcd {
		n = int(c.cr>>12)*1000 + int(c.cr>>8&15)*100 + int(c.cr>>4&15)*10 + int(c.cr&15)
		n %= 10000
	}
	if n == 0 {
		return c.modulus()
	}
	return n
}

// halts reports whether GATE low stops the counting of the mode.
func (c *counter) halts() bool { return c.mode != 1 && c.mode != 5 }

// stopped reports whether CE stands still.
func (c *counter) stopped() bool { return c.halts() && !c.gate || c.mode == 0 && c.writeHigh }

// elapsed returns the clocks that were counted since CE was loaded.
func (c *counter) elapsed(now int64) int64 {
	if c.stopped() {
		return c.held
	}
	return max(0, now-c.at)
}

// advance brings the counter to the clock now: the loads that are due are
// done and the rising edges of OUT noted.
func (c *counter) advance(now int64) {
	for {
		stop := now
		if c.null && c.loadAt <= now {
			stop = c.loadAt
		}
		if c.lastRise(stop) > c.seen {
			c.rose = true
		}
		c.seen = max(c.seen, stop)
		if !c.null || c.loadAt > now {
			return
		}
		c.load(c.loadAt)
	}
}

// load moves CR into CE at clock t.
func (c *counter) load(t int64) {
	c.changes(t)
	c.startLow = c.mode == 3 && c.loaded && !c.levelAt(t)
	c.n, c.at, c.held = c.initial(), t, 0
	c.loaded, c.null, c.loadAt = true, false, never
}

// trigger is a rising edge of GATE.
func (c *counter) trigger(now int64) {
	switch c.mode {
	case 0, 4:
		c.at = now - c.held // counting goes on
	default:
		if !c.written && (c.mode == 2 || c.mode == 3) {
			return
		}
		// CR is loaded on the next clock; in modes 2 and 3 a cycle begins.
		c.null, c.loadAt = true, now+1
		if c.mode == 2 || c.mode == 3 {
			c.loaded, c.startLow = false, false
		}
	}
}

func (c *counter) setGate(now int64, level bool) {
	if c.gate == level {
		return
	}
	c.advance(now)
	c.changes(now)
	if level {
		c.gate = true
		c.trigger(now)
		return
	}
	c.held = c.elapsed(now)
	c.gate = false
}

// level is OUT.
func (c *counter) level(now int64) bool {
	if (c.mode == 2 || c.mode == 3) && !c.gate {
		return true // "GATE low sets OUT immediately high"
	}
	return c.levelAt(now)
}

func (c *counter) levelAt(now int64) bool {
	e := c.elapsed(now)
	n := int64(c.n)
	switch c.mode {
	case 0: // interrupt on terminal count
		return c.loaded && !c.null && !c.writeHigh && e >= n
	case 1: // one-shot
		return !c.loaded || e >= n
	case 2: // rate generator
		return !c.loaded || n == 1 || e%n != n-1
	case 3: // square wave
		if !c.loaded || n == 1 {
			return true
		}
		return c.phase(e) < (n+1)/2
	}
	return !c.loaded || e != n // strobes
}

// phase is the place in a cycle of mode 3, which begins with the high part.
func (c *counter) phase(e int64) int64 {
	n := int64(c.n)
	if c.startLow {
		e += (n + 1) / 2
	}
	return e % n
}

// lastRise returns the clock of the last rising edge of OUT up to now that
// the counting made, -1 if there was none since CE was loaded.
func (c *counter) lastRise(now int64) int64 {
	if !c.loaded || c.stopped() || now < c.at {
		return -1
	}
	e, n := now-c.at, int64(c.n)
	rise := int64(-1)
	switch c.mode {
	case 0:
		if e >= n && !c.null {
			rise = n
		}
	case 1:
		if e >= n {
			rise = n
		}
	case 2:
		if n > 1 && e >= n {
			rise = e / n * n
		}
	case 3:
		if r := e - c.phase(e); n > 1 && r > 0 {
			rise = r
		}
	default:
		if e > n {
			rise = n + 1
		}
	}
	if rise < 0 {
		return -1
	}
	return c.at + rise
}

// nextEvent returns the clock after now at which OUT must be driven again or
// CE is loaded.
func (c *counter) nextEvent(now int64) int64 {
	next := never
	if c.null {
		next = max(c.loadAt, now+1)
	}
	if !c.loaded || c.stopped() {
		return next
	}
	e, n := max(0, now-c.at), int64(c.n)
	edge := never
	switch c.mode {
	case 0, 1:
		if e < n {
			edge = n
		}
	case 2:
		// Only the rising edge: the clock that OUT is low before it comes
		// with it (see Settle), for half the number of timers.
		if n > 1 {
			edge = e - e%n + n
		}
	case 3:
		if n > 1 {
			edge = e + c.halfCycleLeft(e)
		}
	default:
		if e < n {
			edge = n
		} else if e == n {
			edge = n + 1
		}
	}
	if edge == never {
		return next
	}
	return min(next, c.at+edge)
}

// halfCycleLeft returns the clocks until OUT toggles in mode 3.
func (c *counter) halfCycleLeft(e int64) int64 {
	p, n := c.phase(e), int64(c.n)
	if half := (n + 1) / 2; p < half {
		return half - p
	}
	return n - p
}

// ce is what the counting element holds, as the output latch shows it.
func (c *counter) ce(now int64) uint16 {
	if !c.loaded {
		return c.cr
	}
	e, n, m := c.elapsed(now), int64(c.n), int64(c.modulus())
	var v int64
	switch c.mode {
	case 2:
		v = n - e%n
	case 3:
		// Even counts go down by two, twice a cycle; odd counts are loaded
		// less one, and their high half has one clock more.
		p := c.phase(e)
		if half := (n + 1) / 2; p >= half {
			p -= half
		}
		v = n&^1 - 2*p
	default:
		v = n - e%m
	}
	v = (v%m + m) % m
	if c.bcd {
		return uint16(v/1000<<12 | v/100%10<<8 | v/10%10<<4 | v%10)
	}
	return uint16(v)
}

func (c *counter) control(now int64, v uint8) {
	c.advance(now)
	c.changes(now)
	*c = counter{
		mode: v >> 1 & 7, rw: v >> 4 & 3, bcd: v&1 != 0,
		gate: c.gate, cr: 0, null: true, loadAt: never,
		n: c.n, seen: c.seen, rose: c.rose, out: c.out, watch: c.watch,
	}
	if c.mode > 5 {
		c.mode -= 4 // x10 and x11
	}
}

func (c *counter) write(now int64, v uint8) {
	c.advance(now)
	c.changes(now)
	switch c.rw {
	case rwLSB:
		c.setCount(now, uint16(v))
	case rwMSB:
		c.setCount(now, uint16(v)<<8)
	default:
		if !c.writeHigh {
			// In mode 0 the first byte stops the counting.
			c.held = c.elapsed(now)
			c.lsb, c.writeHigh = v, true
			return
		}
		c.writeHigh = false
		c.setCount(now, uint16(v)<<8|uint16(c.lsb))
	}
}

func (c *counter) setCount(now int64, v uint16) {
	running := c.written && c.loaded
	c.cr, c.null, c.written = v, true, true
	switch c.mode {
	case 1, 5: // loaded by the next trigger
		if c.loadAt > now+1 {
			c.loadAt = never
		}
	case 2, 3:
		c.loadAt = now + 1
		if running && c.gate {
			// The current cycle (mode 3: half-cycle) ends first.
			e, n := c.elapsed(now), int64(c.n)
			if c.mode == 2 {
				c.loadAt = c.at + e - e%n + n
			} else {
				c.loadAt = c.at + e + c.halfCycleLeft(e)
			}
		}
	default:
		c.loadAt = now + 1
	}
}

// latchCount does the counter latch command; a latch that was not read stays.
func (c *counter) latchCount(now int64) {
	if !c.latched {
		c.latch, c.latched = c.ce(now), true
	}
}

// latchStatus does the read-back command's other half.
func (c *counter) latchStatus(now int64) {
	if c.statusSet {
		return
	}
	v := c.rw<<4 | c.mode<<1
	if c.bcd {
		v |= 1
	}
	if c.null {
		v |= 1 << 6
	}
	if c.level(now) {
		v |= 1 << 7
	}
	c.status, c.statusSet = v, true
}

func (c *counter) read(now int64) uint8 {
	c.advance(now)
	if c.statusSet {
		c.statusSet = false
		return c.status
	}
	v := c.latch
	if !c.latched {
		v = c.ce(now)
	}
	switch c.rw {
	case rwLSB:
		c.latched = false
		return uint8(v)
	case rwMSB:
		c.latched = false
		return uint8(v >> 8)
	}
	if !c.readHigh {
		c.readHigh = true
		return uint8(v)
	}
	c.readHigh, c.latched = false, false
	return uint8(v >> 8)
}

func (c *counter) state(s *snap.Section) {
	s.Version(1)
	s.U8("mode", &c.mode)
	s.U8("rw", &c.rw)
	s.Bool("bcd", &c.bcd)
	s.Bool("gate", &c.gate)
	s.Bool("written", &c.written)
	s.U8("lsb", &c.lsb)
	s.Bool("write_high", &c.writeHigh)
	s.Bool("read_high", &c.readHigh)
	s.U16("latch", &c.latch)
	s.Bool("latched", &c.latched)
	s.U8("status", &c.status)
	s.Bool("status_set", &c.statusSet)
	s.U16("cr", &c.cr)
	s.Bool("null", &c.null)
	s.I64("load_at", &c.loadAt)
	s.Bool("loaded", &c.loaded)
	s.Int("n", &c.n, 1, 65536)
	s.I64("at", &c.at)
	s.I64("held", &c.held)
	s.Bool("start_low", &c.startLow)
	s.I64("seen", &c.seen)
	s.Check(c.mode <= 5, "mode is out of range")
	s.Check(c.rw >= 1 && c.rw <= 3, "rw is out of range")
	ticks := func(t int64) bool { return t >= 0 && t <= never }
	s.Check(ticks(c.loadAt) && ticks(c.held) && ticks(c.seen), "a time is out of range")
	s.Check(c.at >= -never && c.at <= never, "at is out of range")
	if s.Loading() {
		c.rose = false
	}
}

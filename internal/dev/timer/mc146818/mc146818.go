// Package mc146818 models the Motorola MC146818A real-time clock plus RAM
// (ADI1026R1) as PCs have it: 128 bytes, reached through an index and a data
// port, with the century in bytes that once were RAM.
//
// The time is not ticked: while the clock runs it is computed from the
// machine's clock; the registers hold it while it stands (SET, or a divider
// that is held).
package mc146818

import (
	"time"

	"rhea/internal/dev"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/vclock"
)

// The address map, Figure 12.
const (
	regSeconds      = 0x00
	regSecondsAlarm = 0x01
	regMinutes      = 0x02
	regMinutesAlarm = 0x03
	regHours        = 0x04
	regHoursAlarm   = 0x05
	regWeekday      = 0x06
	regDay          = 0x07
	regMonth        = 0x08
	regYear         = 0x09
	regA            = 0x0a
	regB            = 0x0b
	regC            = 0x0c
	regD            = 0x0d

	regCentury    = 0x32 // AT
	regCenturyPS2 = 0x37 // PS/2, which Windows XP looks at
)

// Register A.
const (
	aUIP = 1 << 7
	aDV  = 7 << 4 // divider: 010 runs at 32768 Hz, 11x holds it
	aRS  = 15
)

// Register B.
const (
	bDSE = 1 << iota
	b24
	bDM // binary
	bSQWE
	bUIE
	bAIE
	bPIE
	bSET
)

// Register C; the flags have the places of B's enables.
const (
	cUF   = bUIE
	cAF   = bAIE
	cPF   = bPIE
	cIRQF = 1 << 7
)

const dVRT = 1 << 7

const (
	second = vclock.Second
	// updateTime is how long UIP is high before the registers have changed:
	// 244 us before the update cycle, and the 1984 us it lasts at 32768 Hz
	// (Table 7).
	updateTime = (244 + 1984) * 1000
	// maxDebt bounds the periodic interrupts that are made up for.
	maxDebt = 1000
	maxTime = int64(1) << 60
)

// Config connects a clock.
type Config struct {
	Env dev.Env
	IRQ irq.Line // IRQ 8 of a PC (the inverse of the chip's pin)
	// NMI is high while bit 7 of the index port lets NMIs pass.
	NMI irq.Line
	// Now is the time that the clock shows when it is made. The calendar
	// fields count, not the zone: a caller who wants local time passes it.
	// Nil is 1980-01-01, where the clock of an early PC starts.
	Now func() time.Time
	// Drift, if not nil, is how many nanoseconds the time that the calendar
	// keeps to is ahead of Env.Clock: a battery goes on while the machine is
	// stopped, and somebody may set the host's clock. What the machine times
	// by the chip (periodic interrupts) does not follow.
	Drift func() int64
	// Slew makes up for periodic interrupts that the guest was too slow to
	// take, as -rtc driftfix=slew does.
	Slew bool
}

// RTC is an MC146818.
type RTC struct {
	c     Config
	timer *vclock.Timer

	cmos   [128]uint8
	index  uint8
	nmiOff bool

	// The time: the calendar second base began when the machine's clock was
	// at baseAt (both run on by themselves). The weekday counts by itself.
	base    int64 // seconds since 1970
	baseAt  int64
	weekday int  // what the guest's weekday is ahead of the calendar's
	fell    bool // the hour that autumn repeats is being repeated
	held    bool // the divider is held in reset

	drift int64 // what Config.Drift was when the calendar last followed it

	flags   uint8 // of register C
	seen    int64 // the flags are right up to this time
	debt    int   // periodic interrupts to make up for
	makeUp  int64 // when the next of them comes, 0 = none
	phaseAt int64 // when the divider chain was at 0
}

// New returns a clock.
func New(c Config) *RTC {
	r := &RTC{c: c}
	r.timer = c.Env.Clock.NewTimer(func() { r.Settle() })
	r.cmos[regA] = 0x26 // 32768 Hz, 1024 Hz
	r.cmos[regB] = b24
	now := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	if c.Now != nil {
		now = c.Now()
	}
	r.SetTime(now)
	r.Reset()
	return r
}

// Reset implements dev.Device: the RESET pin. The battery keeps the rest.
func (r *RTC) Reset() {
	r.cmos[regB] &^= bPIE | bAIE | bUIE | bSQWE
	r.flags = 0
	r.debt, r.makeUp = 0, 0
	r.index, r.nmiOff = 0, false
	r.seen = max(r.seen, r.now())
}

// Region returns the registers (ports 70h and 71h).
func (r *RTC) Region() *mem.Region { return mem.NewIO("rtc", 2, r).Sizes(1, 1) }

func (r *RTC) now() int64 { return r.c.Env.Clock.Now() }

// SetTime sets the calendar to the fields of t.
func (r *RTC) SetTime(t time.Time) {
	now := r.now()
	r.base = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC).Unix()
	r.baseAt = now - int64(t.Nanosecond())
	r.noDrift()
	r.phaseAt = r.baseAt
	r.weekday, r.fell = 0, false
	r.seen = max(r.seen, now)
	if !r.running() {
		r.store(r.base)
	}
}

// Time returns what the clock shows, as UTC.
func (r *RTC) Time() time.Time {
	r.catchUp(r.now())
	if !r.running() {
		return time.Unix(r.fetch(), 0).UTC()
	}
	return time.Unix(r.secondAt(r.now()), 0).UTC()
}

// Set writes a byte of the RAM, for a board's configuration.
func (r *RTC) Set(index int, v uint8) { r.cmos[index&0x7f] = v }

// Get reads a byte of the RAM.
func (r *RTC) Get(index int) uint8 { return r.cmos[index&0x7f] }

// running reports whether the calendar is updated.
func (r *RTC) running() bool { return r.cmos[regB]&bSET == 0 && r.cmos[regA]&aDV == 0x20 }

// dividing reports whether the divider chain counts.
func (r *RTC) dividing() bool { return r.cmos[regA]&aDV == 0x20 }

// secondAt returns the calendar's second at time t of the clock.
func (r *RTC) secondAt(t int64) int64 {
	return r.base + floorDiv(t-r.baseAt, second)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// period returns the time between periodic interrupts in 1/32768 s, 0 = none
// (Table 5). The tap is of the chain that also counts the seconds.
func (r *RTC) period() int64 {
	rs := r.cmos[regA] & aRS
	switch {
	case rs == 0 || !r.dividing():
		return 0
	case rs <= 2:
		return 1 << (rs + 6)
	}
	return 1 << (rs - 1)
}

// chain returns the count of the 32768 Hz divider at time t, and chainTime
// when it has a count.
func (r *RTC) chain(t int64) int64 {
	d := max(0, t-r.phaseAt)
	return d/second*32768 + d%second*32768/second
}

func (r *RTC) chainTime(n int64) int64 {
	return r.phaseAt + n/32768*second + (n%32768*second+32767)/32768
}

// catchUp sets the flags for what happened up to now.
func (r *RTC) catchUp(now int64) {
	defer r.follow(now)
	from := r.seen
	if now <= from {
		return
	}
	r.seen = now
	if p := r.period(); p != 0 {
		if n := r.chain(now)/p - r.chain(from)/p; n > 0 {
			if r.flags&cPF == 0 {
				r.flags |= cPF
				n--
			}
			if r.c.Slew && r.cmos[regB]&bPIE != 0 {
				r.debt = int(min(int64(r.debt)+n, maxDebt))
			}
		}
	}
	if r.makeUp != 0 && r.makeUp <= now {
		r.makeUp = 0
		if r.flags&cPF == 0 && r.debt > 0 {
			r.flags |= cPF
			r.debt--
		}
	}
	if !r.running() {
		return
	}
	a, b := r.secondAt(from), r.secondAt(now)
	if b == a {
		return
	}
	r.flags |= cUF
	if r.flags&cAF == 0 && r.alarmWithin(a+1, b) {
		r.flags |= cAF
	}
	if r.cmos[regB]&bDSE != 0 {
		r.daylight(a, b)
	}
}

// minDrift is what the calendar follows: the two clocks are not read at the
// same moment.
const minDrift = second / 10

// follow moves the calendar by what it has drifted from the machine's clock.
func (r *RTC) follow(now int64) {
	if r.c.Drift == nil {
		return
	}
	d := r.c.Drift()
	delta := d - r.drift
	if delta > -minDrift && delta < minDrift {
		return
	}
	r.drift = d
	if !r.running() {
		return // it stands
	}
	a := r.secondAt(now)
	r.baseAt -= delta
	b := r.secondAt(now)
	r.base, r.baseAt = b, r.baseAt+(b-r.base)*second
	if b == a {
		return
	}
	r.flags |= cUF
	if r.flags&cAF == 0 && b > a && r.alarmWithin(a+1, b) {
		r.flags |= cAF
	}
}

// noDrift takes the calendar as right.
func (r *RTC) noDrift() {
	if r.c.Drift != nil {
		r.drift = r.c.Drift()
	}
}

// alarmWithin reports whether the alarm goes off in one of the seconds
// first..last. It comes daily at the latest.
func (r *RTC) alarmWithin(first, last int64) bool {
	const day = 24 * 3600
	first = max(first, last-day+1)
	for s := first; s <= last; {
		sec, min, hour := s%60, s/60%60, s/3600%24
		if s < 0 {
			sec, min, hour = 0, 0, 0
		}
		switch {
		case !r.alarmIs(regHoursAlarm, r.hour(int(hour))):
			s += 3600 - s%3600
		case !r.alarmIs(regMinutesAlarm, r.number(int(min))):
			s += 60 - s%60
		case !r.alarmIs(regSecondsAlarm, r.number(int(sec))):
			s++
		default:
			return true
		}
	}
	return false
}

// alarmIs compares an alarm byte; C0h..FFh are "don't care".
func (r *RTC) alarmIs(reg int, v uint8) bool {
	return r.cmos[reg] >= 0xc0 || r.cmos[reg] == v
}

// daylight does the two changes a year of DSE: on the last Sunday of April
// 1:59:59 is followed by 3:00:00, on that of October by 1:00:00, once.
func (r *RTC) daylight(a, b int64) {
	year := time.Unix(b, 0).UTC().Year()
	spring := lastSunday(year, time.April) + 2*3600
	autumn := lastSunday(year, time.October) + 2*3600
	switch {
	case a < spring && b >= spring:
		r.base += 3600
	case a < autumn && b >= autumn && !r.fell:
		r.base -= 3600
		r.fell = true
	case b >= autumn+3600 || b < autumn-3600:
		r.fell = false
	}
}

// lastSunday returns the second in which it begins.
func lastSunday(year int, m time.Month) int64 {
	last := time.Date(year, m+1, 0, 0, 0, 0, 0, time.UTC)
	return last.AddDate(0, 0, -int(last.Weekday())).Unix()
}

// regC returns register C.
func (r *RTC) regC() uint8 {
	if r.flags&r.cmos[regB]&(cPF|cAF|cUF) != 0 {
		return r.flags | cIRQF
	}
	return r.flags
}

// Settle implements dev.Settler.
func (r *RTC) Settle() {
	r.catchUp(r.now())
	r.c.NMI.Set(!r.nmiOff)
	r.c.IRQ.Set(r.regC()&cIRQF != 0)
	r.arm()
}

// arm sets the timer to the next event that can raise IRQ.
func (r *RTC) arm() {
	const never = int64(1<<63 - 1)
	next := never
	b := r.cmos[regB]
	if p := r.period(); p != 0 && b&bPIE != 0 && r.flags&cPF == 0 {
		next = r.chainTime((r.chain(r.seen)/p + 1) * p)
		if r.makeUp != 0 {
			next = min(next, r.makeUp)
		}
	}
	if r.running() && (b&bUIE != 0 && r.flags&cUF == 0 || b&bAIE != 0 && r.flags&cAF == 0) {
		next = min(next, r.baseAt+(floorDiv(r.seen-r.baseAt, second)+1)*second)
	}
	if next == never {
		r.timer.Stop()
		return
	}
	r.timer.Set(max(next, r.seen+1))
}

// uip reports whether an update is about to change the registers.
func (r *RTC) uip(now int64) bool {
	if !r.running() {
		return false
	}
	into := now - r.baseAt - floorDiv(now-r.baseAt, second)*second
	return into >= second-updateTime
}

package mc146818

import (
	"time"

	"rhea/internal/snap"
)

// Read implements mem.MMIO.
func (r *RTC) Read(off uint64, _ int) uint64 {
	if off&1 == 0 {
		return 0xff // the index port cannot be read
	}
	now := r.now()
	r.catchUp(now)
	i := r.index
	switch {
	case isTime(i):
		if r.running() {
			r.store(r.secondAt(now))
		}
	case i == regA:
		v := r.cmos[regA]
		if r.uip(now) {
			v |= aUIP
		}
		return uint64(v)
	case i == regC:
		v := r.regC()
		r.flags = 0
		if r.c.Slew && r.debt > 0 && r.makeUp == 0 && r.cmos[regB]&bPIE != 0 {
			// A half period on, so that the guest is not called at once.
			r.makeUp = now + (r.chainTime(r.period())-r.phaseAt)/2 + 1
		}
		r.Settle()
		return uint64(v)
	case i == regD:
		return dVRT
	}
	return uint64(r.cmos[i])
}

// isTime reports whether a byte is kept up to date by the clock.
func isTime(i uint8) bool {
	switch i {
	case regSeconds, regMinutes, regHours, regWeekday, regDay, regMonth, regYear, regCentury, regCenturyPS2:
		return true
	}
	return false
}

// Write implements mem.MMIO.
func (r *RTC) Write(off uint64, _ int, value uint64) {
	v := uint8(value)
	if off&1 == 0 {
		r.index, r.nmiOff = v&0x7f, v&0x80 != 0
		r.Settle()
		return
	}
	now := r.now()
	r.catchUp(now)
	i := r.index
	switch {
	case isTime(i):
		r.writeTime(now, i, v)
	case i == regA:
		r.writeA(now, v)
	case i == regB:
		r.writeB(now, v)
	case i == regC, i == regD:
		r.c.Env.Log.Guest("mc146818: write of %#x to read-only register %#x", v, i)
	default:
		r.cmos[i] = v
	}
	r.Settle()
}

// writeTime sets a byte of the calendar, which may be running.
func (r *RTC) writeTime(now int64, i, v uint8) {
	running := r.running()
	if running {
		r.store(r.secondAt(now))
	}
	r.cmos[i] = v
	switch i { // one century, at two places
	case regCentury:
		r.cmos[regCenturyPS2] = v
	case regCenturyPS2:
		r.cmos[regCentury] = v
	}
	if running {
		r.setSecond(now, r.fetch())
	}
}

// setSecond makes s the current second; where in it the clock is does not change.
func (r *RTC) setSecond(now, s int64) {
	r.base = s
	r.baseAt += floorDiv(now-r.baseAt, second) * second
	r.weekday = (int(r.field(regWeekday)) - 1 - int(time.Unix(s, 0).UTC().Weekday())) % 7
	r.fell = false
}

func (r *RTC) writeA(now int64, v uint8) {
	was := r.running()
	if was {
		r.store(r.secondAt(now))
	}
	r.cmos[regA] = v &^ aUIP
	switch {
	case r.cmos[regA]&aDV >= 0x60:
		r.held = true
	case r.dividing() && r.held:
		// "The first update cycle begins one-half second later."
		r.held = false
		r.phaseAt = now - second/2
		r.baseAt = r.phaseAt
		if r.running() {
			r.base = r.fetch()
			r.setWeekday()
		}
		return
	}
	r.resume(now, was)
}

func (r *RTC) writeB(now int64, v uint8) {
	was := r.running()
	if was {
		r.store(r.secondAt(now))
	}
	if v&bSET != 0 {
		v &^= bUIE // "SET ... clears UIE"
	}
	// The registers keep their meaning for the guest: a change of DM or 24/12
	// does not convert what they hold while the clock stands.
	r.cmos[regB] = v
	if r.cmos[regB]&bPIE == 0 {
		r.debt, r.makeUp = 0, 0
	}
	if was && r.running() {
		return // shown in the new format from now on
	}
	r.resume(now, was)
}

// resume starts the calendar from the registers if it stood.
func (r *RTC) resume(now int64, was bool) {
	if !was && r.running() {
		r.setSecond(now, r.fetch())
	}
}

func (r *RTC) setWeekday() {
	r.weekday = (int(r.field(regWeekday)) - 1 - int(time.Unix(r.base, 0).UTC().Weekday())) % 7
}

// number returns n in the format of register B's DM.
func (r *RTC) number(n int) uint8 {
	if r.cmos[regB]&bDM != 0 {
		return uint8(n)
	}
	return uint8(n/10%10<<4 | n%10)
}

// hour returns an hour in the formats of DM and 24/12.
func (r *RTC) hour(h int) uint8 {
	if r.cmos[regB]&b24 != 0 {
		return r.number(h)
	}
	pm := uint8(0)
	if h >= 12 {
		pm = 0x80
	}
	if h %= 12; h == 0 {
		h = 12
	}
	return r.number(h) | pm
}

// field returns what a byte of the calendar means.
func (r *RTC) field(i int) int {
	v := r.cmos[i]
	pm := i == regHours && r.cmos[regB]&b24 == 0 && v&0x80 != 0
	if pm {
		v &= 0x7f
	}
	n := int(v)
	if r.cmos[regB]&bDM == 0 {
		n = int(v>>4)*10 + int(v&15)
	}
	if i == regHours && r.cmos[regB]&b24 == 0 {
		if n %= 12; pm {
			n += 12
		}
	}
	return n
}

// store writes second s into the registers.
func (r *RTC) store(s int64) {
	t := time.Unix(s, 0).UTC()
	r.cmos[regSeconds] = r.number(t.Second())
	r.cmos[regMinutes] = r.number(t.Minute())
	r.cmos[regHours] = r.hour(t.Hour())
	r.cmos[regWeekday] = r.number(((int(t.Weekday())+r.weekday)%7+7)%7 + 1)
	r.cmos[regDay] = r.number(t.Day())
	r.cmos[regMonth] = r.number(int(t.Month()))
	year := t.Year()
	if year < 0 {
		year = 0
	}
	r.cmos[regYear] = r.number(year % 100)
	century := r.number(year / 100 % 100)
	r.cmos[regCentury], r.cmos[regCenturyPS2] = century, century
}

// fetch returns the second that the registers hold. Impossible dates count on
// (February 30 is in March), as good as anything.
func (r *RTC) fetch() int64 {
	year := r.field(regCentury)*100 + r.field(regYear)
	return time.Date(year, time.Month(r.field(regMonth)), r.field(regDay),
		r.field(regHours), r.field(regMinutes), r.field(regSeconds), 0, time.UTC).Unix()
}

// State implements dev.Device. Times are of the machine's clock.
func (r *RTC) State(s *snap.Section) {
	s.Version(1)
	s.Bytes("cmos", r.cmos[:])
	s.U8("index", &r.index)
	s.Bool("nmi_off", &r.nmiOff)
	s.I64("base", &r.base)
	s.I64("base_at", &r.baseAt)
	weekday := r.weekday + 6
	s.Int("weekday", &weekday, 0, 12)
	s.Bool("fell", &r.fell)
	s.Bool("held", &r.held)
	s.U8("flags", &r.flags)
	s.I64("seen", &r.seen)
	s.Int("debt", &r.debt, 0, maxDebt)
	s.I64("make_up", &r.makeUp)
	s.I64("phase_at", &r.phaseAt)
	if s.Loading() {
		r.weekday = weekday - 6
		r.noDrift()
	}
	s.Check(r.index < 128, "index is out of range")
	in := func(t int64) bool { return t >= -maxTime && t <= maxTime }
	s.Check(in(r.baseAt) && in(r.seen) && in(r.makeUp) && in(r.phaseAt), "a time is out of range")
	s.Check(r.base >= -1<<40 && r.base <= 1<<40, "base is out of range")
	if s.Loading() && s.Err() != nil {
		// Reset keeps the time, so it must be one.
		r.index &= 0x7f
		r.seen, r.debt, r.makeUp = r.now(), 0, 0
		r.SetTime(time.Unix(0, 0))
	}
}

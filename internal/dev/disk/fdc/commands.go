package fdc

// Status register 0 (table 5-12).
const (
	st0Abnormal = 0x40
	st0Invalid  = 0x80
	st0Polling  = 0xc0
	st0SE       = 0x20
	st0EC       = 0x10
)

// Status register 1 (§6.2).
const (
	st1EN = 0x80
	st1DE = 0x20
	st1ND = 0x04
	st1NW = 0x02
	st1MA = 0x01
)

// Status register 2 (§6.3).
const (
	st2CM = 0x40
	st2DD = 0x20
	st2WC = 0x10
	st2SH = 0x08
	st2SN = 0x04
)

// Bits of a command's first byte.
const (
	cmdMT  = 0x80
	cmdMFM = 0x40
	cmdSK  = 0x20
)

const cmdDriveSpec = 0x8e

type command struct {
	mask, code uint8
	name       string
	params     int
	run        func(*Controller)
}

// commands is table 5-1. BeOS sets SK in WRITE DATA.
var commands = []command{
	{0x1f, 0x06, "READ DATA", 8, func(f *Controller) { f.data(opRead) }},
	{0x1f, 0x0c, "READ DELETED DATA", 8, func(f *Controller) { f.data(opReadDeleted) }},
	{0x1f, 0x05, "WRITE DATA", 8, func(f *Controller) { f.data(opWrite) }},
	{0x3f, 0x09, "WRITE DELETED DATA", 8, func(f *Controller) { f.data(opWriteDeleted) }},
	{0xbf, 0x02, "READ TRACK", 8, func(f *Controller) { f.data(opReadTrack) }},
	{0x1f, 0x16, "VERIFY", 8, func(f *Controller) { f.data(opVerify) }},
	{0xff, 0x10, "VERSION", 0, func(f *Controller) { f.reply(0x90) }},
	{0xbf, 0x0d, "FORMAT TRACK", 5, (*Controller).cmdFormat},
	{0x1f, 0x11, "SCAN EQUAL", 8, func(f *Controller) { f.data(opScanEqual) }},
	{0x1f, 0x19, "SCAN LOW OR EQUAL", 8, func(f *Controller) { f.data(opScanLow) }},
	{0x1f, 0x1d, "SCAN HIGH OR EQUAL", 8, func(f *Controller) { f.data(opScanHigh) }},
	{0xff, 0x07, "RECALIBRATE", 1, (*Controller).cmdRecalibrate},
	{0xff, 0x08, "SENSE INTERRUPT STATUS", 0, (*Controller).cmdSenseInterrupt},
	{0xff, 0x03, "SPECIFY", 2, (*Controller).cmdSpecify},
	{0xff, 0x04, "SENSE DRIVE STATUS", 1, (*Controller).cmdSenseDrive},
	{0xff, 0x0f, "SEEK", 2, (*Controller).cmdSeek},
	{0xff, 0x13, "CONFIGURE", 3, (*Controller).cmdConfigure},
	{0xbf, 0x8f, "RELATIVE SEEK", 2, (*Controller).cmdRelativeSeek},
	{0xff, 0x0e, "DUMPREG", 0, (*Controller).cmdDumpReg},
	{0xbf, 0x0a, "READ ID", 1, (*Controller).cmdReadID},
	{0xff, 0x12, "PERPENDICULAR MODE", 1, (*Controller).cmdPerpendicular},
	{0x7f, 0x14, "LOCK", 0, (*Controller).cmdLock},
	{0xff, 0x18, "PART ID", 0, func(f *Controller) { f.reply(0x41) }},
	{0xff, cmdDriveSpec, "DRIVE SPECIFICATION", 5, (*Controller).cmdDriveSpecification},
	{0xff, 0x33, "OPTION", 1, func(f *Controller) { f.option = f.cmd[1]; f.reply(f.option) }},
	{0xff, 0x17, "POWERDOWN MODE", 1, func(f *Controller) { f.reply(f.cmd[1]) }},
}

var invalid = command{name: "INVALID", run: func(f *Controller) {
	f.c.Env.Log.Guest("fdc: invalid command %#02x", f.cmd[0])
	f.reply(st0Invalid)
}}

var decode = func() (t [256]*command) {
	for b := range t {
		t[b] = &invalid
		for i := range commands {
			if c := &commands[i]; uint8(b)&c.mask == c.code {
				t[b] = c
				break
			}
		}
	}
	return t
}()

func lookup(b uint8) *command { return decode[b] }

func (f *Controller) cmdSpecify() {
	f.specify = [2]uint8{f.cmd[1], f.cmd[2]}
	f.idle()
}

func (f *Controller) cmdConfigure() {
	f.config, f.pretrk = f.cmd[2]&0x7f, f.cmd[3]
	if f.config&cfgPoll != 0 {
		f.at[evReset] = 0 // §7.4: in time to prevent the interrupt
	}
	f.idle()
}

func (f *Controller) cmdLock() {
	f.lock = f.cmd[0]&0x80 != 0
	f.reply(f.cmd[0] >> 7 << 4)
}

// cmdPerpendicular: OW lets D0-D3 be written.
func (f *Controller) cmdPerpendicular() {
	v := f.cmd[1]
	if v&0x80 != 0 {
		f.perp = v & 0x3f
	} else {
		f.perp = f.perp&^3 | v&3
	}
	f.idle()
}

func (f *Controller) cmdDumpReg() {
	lock := uint8(0)
	if f.lock {
		lock = 0x80
	}
	f.reply(f.pcn[0], f.pcn[1], f.pcn[2], f.pcn[3], f.specify[0], f.specify[1], f.eot, lock|f.perp, f.config, f.pretrk)
}

// cmdDriveSpecification takes up to four drives' parameters and a byte with
// DN, which says by NRP whether they are wanted back.
func (f *Controller) cmdDriveSpecification() {
	for _, v := range f.cmd[1:f.ncmd] {
		if v&0x80 == 0 {
			f.spec[v>>5&3] = v & 0x1f
		} else if v&0x40 != 0 {
			f.idle()
			return
		}
	}
	f.reply(f.spec[:]...)
}

func (f *Controller) cmdSenseDrive() {
	v := 0x28 | f.cmd[1]&7
	if d := f.drive(int(f.cmd[1] & 3)); d != nil {
		if d.pos == 0 {
			v |= 0x10
		}
		if d.readOnly() {
			v |= 0x40
		}
	}
	f.reply(v)
}

// cmdSenseInterrupt: after a reset there is one for each of four drives
// (§7.4), however many the cables have.
func (f *Controller) cmdSenseInterrupt() {
	if f.at[evReset] != 0 { // who does not wait for the interrupt
		f.at[evReset] = 0
		f.polls = 4
	}
	f.lower()
	if f.polls > 0 {
		n := 4 - f.polls
		f.polls--
		f.reply(st0Polling|uint8(n), f.pcn[n])
		return
	}
	for n := range 4 {
		if bit := uint8(1) << n; f.sought&bit != 0 {
			f.sought &^= bit
			f.busy &^= bit
			f.reply(f.seekST0[n], f.pcn[n])
			return
		}
	}
	f.reply(st0Invalid)
}

// seek moves a head by n tracks. It ends with an interrupt, and no result.
func (f *Controller) seek(n, by int, st0 uint8) {
	if d := f.drive(n); d != nil {
		d.step(by)
	}
	f.busy |= 1 << n
	f.sought &^= 1 << n
	f.seekST0[n] = st0SE | st0 | uint8(n)
	f.after(evSeek+n, seekDelay+int64(max(by, -by))*stepDelay)
	f.idle()
}

func (f *Controller) seekEnds(n int) {
	if f.busy>>n&1 == 0 {
		return
	}
	f.sought |= 1 << n
	f.polls = 0 // whoever seeks has seen the reset
	if f.phase == phIdle {
		f.intr = true
	}
}

func (f *Controller) cmdSeek() {
	n := int(f.cmd[1] & 3)
	by := int(f.cmd[2]) - int(f.pcn[n])
	f.pcn[n] = f.cmd[2]
	f.seek(n, by, 0)
}

func (f *Controller) cmdRelativeSeek() {
	n, by := int(f.cmd[1]&3), int(f.cmd[2])
	if f.cmd[0]&0x40 == 0 {
		by = -min(by, int(f.pcn[n]))
	}
	f.pcn[n] = uint8(int(f.pcn[n]) + by)
	f.seek(n, by, 0)
}

// cmdRecalibrate steps out until TRK0, at most 79 times (§5.2.2): an absent
// drive does not say that it is there.
func (f *Controller) cmdRecalibrate() {
	n := int(f.cmd[1] & 3)
	f.pcn[n] = 0
	d := f.drive(n)
	if d == nil {
		f.seek(n, -79, st0Abnormal|st0EC)
		return
	}
	by := min(d.pos, 79)
	st0 := uint8(0)
	if by < d.pos {
		st0 = st0Abnormal | st0EC
	}
	f.seek(n, -by, st0)
}

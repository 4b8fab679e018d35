package ide

import (
	"encoding/binary"

	"rhea/internal/block"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

const (
	// What the cylinder registers hold for each subcommand, and after RETURN
	// STATUS of a healthy drive; the other pair says that it may fail soon.
	smartKeyMid, smartKeyHigh   = 0x4f, 0xc2
	smartFailMid, smartFailHigh = 0xf4, 0x2c

	featSMARTEnable = 0xd8
)

// smartCommands are the subcommands D0h to DFh of SMART (§8.41), which the
// Features register names.
var smartCommands = [16]command{
	0x0: {"READ DATA", forATA, (*drive).smartData},
	0x1: {"READ ATTRIBUTE THRESHOLDS", forATA, (*drive).smartThresholds}, // of ATA-3
	0x2: {"ATTRIBUTE AUTOSAVE", forATA, (*drive).smartAutosave},
	0x3: {"SAVE ATTRIBUTE VALUES", forATA, (*drive).finish}, // they are kept anyway
	0x4: {"EXECUTE OFF-LINE IMMEDIATE", forATA, (*drive).smartOffline},
	0x5: {"READ LOG", forATA, (*drive).smartReadLog},
	0x6: {"WRITE LOG", forATA, (*drive).smartWriteLog},
	0x8: {"ENABLE OPERATIONS", forATA, (*drive).smartEnable},
	0x9: {"DISABLE OPERATIONS", forATA, (*drive).smartDisable},
	0xa: {"RETURN STATUS", forATA, (*drive).smartStatus},
	0xb: {"AUTOMATIC OFF-LINE", forATA, (*drive).smartAutoOffline}, // of SFF-8035i
}

// Logs (§8.41.6.8).
const (
	logDirectory = 0x00
	logErrors    = 0x01
	logSelfTests = 0x06
	logHost      = 0x80 // and 31 more that the host writes, one sector each
	hostLogs     = 32
)

const (
	errorEntries   = 5
	errorEntryLen  = 90
	testEntries    = 21
	testEntryLen   = 24
	lastCommands   = 5
	smartRevision  = 0x10
	pollingMinutes = 255 // the most that a byte of the data can say
)

// Self-test execution status, the upper half of the byte (§8.41.6.5.2).
const (
	testPassed     = 0x0
	testAborted    = 0x1
	testReset      = 0x2
	testReadFailed = 0x7
	testRunning    = 0xf
)

// Off-line data collection status (§8.41.6.5.1; 3 is ATA-7's).
const (
	collectNever   = 0
	collectDone    = 2
	collectRunning = 3
	collectAborted = 5
	collectFailed  = 6
)

// Subcommands of EXECUTE OFF-LINE IMMEDIATE, in LBA low (§8.41.6.4). Captive
// ones keep the drive busy.
const (
	testCollect  = 0x00
	testShort    = 0x01
	testExtended = 0x02
	testAbort    = 0x7f
	testCaptive  = 0x80
)

const (
	// testPause is between two reads of a self-test: at 12 MiB/s it leaves
	// the disk to the host.
	testPause = 10 * vclock.Second / 1000
	// testPieces is how many reads, spread over the disk, a short test has.
	testPieces = 16
)

// taken is a command as the drive has got it: a command data structure of the
// error log (§8.41.6.8.2.3).
type taken [12]byte

// smart is what a drive knows of its health. It outlives resets.
type smart struct {
	enabled, autosave, autoOffline bool

	starts     uint32 // spindle starts
	errors     uint32 // reads that failed
	errorCount uint16 // all that were logged
	errorIndex int    // of the newest entry, from 1; 0 = none
	errorLog   [errorEntries][errorEntryLen]byte
	last       [lastCommands]taken // oldest first

	collect    uint8 // off-line data collection status
	testStatus uint8
	testIndex  int
	testLog    [testEntries][testEntryLen]byte
	host       [hostLogs][]byte // nil = zeroes

	test selfTest
}

// selfTest is a test that runs.
type selfTest struct {
	running bool
	kind    uint8
	next    uint64 // sector to be read
	step    uint64
	single  bool  // a read has failed: sector by sector, to find which
	due     int64 // when it is read
	flight  bool
	gen     uint64
	buf     []byte
	timer   *vclock.Timer
}

// attribute is a line of the attributes, as SFF-8035i lays them out.
type attribute struct {
	id        uint8
	flags     uint16 // 1 pre-failure, 2 collected on-line, 0x10 event count, 0x20 self-preserving
	threshold uint8
	raw       func(*drive) uint64
	// worth is how much of 100 an event costs.
	worth uint64
}

// attributes lists what an image's drive can tell of itself truthfully.
var attributes = []attribute{
	{4, 0x32, 0, func(d *drive) uint64 { return uint64(d.smart.starts) }, 0},                    // starts and stops
	{5, 0x33, 10, func(*drive) uint64 { return 0 }, 1},                                          // reallocated sectors
	{9, 0x32, 0, func(d *drive) uint64 { return uint64(d.uptime() / vclock.Second / 3600) }, 0}, // power-on hours
	{12, 0x32, 0, func(*drive) uint64 { return 1 }, 0},                                          // power cycles
	{187, 0x33, 50, func(d *drive) uint64 { return uint64(d.smart.errors) }, 1},                 // uncorrectable errors reported
}

// value is an attribute's normalized value: 100 = perfect, 1 = the worst.
func (a *attribute) value(d *drive) uint8 {
	return uint8(100 - min(a.raw(d)*a.worth, 99))
}

// uptime is how long the drive has had power, in nanoseconds.
func (d *drive) uptime() int64 { return d.ch.c.Env.Clock.Now() }

// cmdSMARTOperation carries out a subcommand.
func (d *drive) cmdSMART() {
	if d.lbaMid[0] != smartKeyMid || d.lbaHigh[0] != smartKeyHigh || d.feature[0]&0xf0 != 0xd0 {
		d.abort()
		return
	}
	c := &smartCommands[d.feature[0]&15]
	if c.run == nil || !d.smart.enabled && d.feature[0] != featSMARTEnable {
		d.abort()
		return
	}
	c.run(d)
}

func (d *drive) smartEnable()  { d.smart.enabled = true; d.finish() }
func (d *drive) smartDisable() { d.smart.enabled = false; d.finish() }

// smartAutosave: 0 ends it, F1h begins it.
func (d *drive) smartAutosave() { d.smartSwitch(&d.smart.autosave, 0xf1) }

// smartAutoOffline: 0 ends it, F8h begins it. There is nothing for the drive
// to collect by itself: the attributes are right at any time.
func (d *drive) smartAutoOffline() { d.smartSwitch(&d.smart.autoOffline, 0xf8) }

func (d *drive) smartSwitch(on *bool, code uint8) {
	if n := d.count[0]; n != 0 && n != code {
		d.abort()
		return
	}
	*on = d.count[0] != 0
	d.finish()
}

// smartStatus tells whether a pre-failure attribute has come down to its
// threshold.
func (d *drive) smartStatus() {
	mid, high := uint8(smartKeyMid), uint8(smartKeyHigh)
	for i := range attributes {
		if a := &attributes[i]; a.flags&1 != 0 && a.value(d) <= a.threshold {
			mid, high = smartFailMid, smartFailHigh
		}
	}
	d.finish()
	d.lbaMid[0], d.lbaHigh[0] = mid, high
}

// smartData answers READ DATA (§8.41.6.5).
func (d *drive) smartData() {
	var b [sectorSize]byte
	binary.LittleEndian.PutUint16(b[0:], smartRevision)
	for i := range attributes {
		a, at := &attributes[i], b[2+12*i:]
		v := a.value(d)
		at[0] = a.id
		binary.LittleEndian.PutUint16(at[1:], a.flags)
		at[3], at[4] = v, v // now, and at its worst: nothing gets better
		raw := a.raw(d)
		binary.LittleEndian.PutUint32(at[5:], uint32(raw))
		binary.LittleEndian.PutUint16(at[9:], uint16(raw>>32))
	}
	b[362] = d.smart.collect
	if d.smart.autoOffline {
		b[362] |= 0x80
	}
	b[363] = d.smart.testStatus
	seconds := d.total() / (chunk / sectorSize) * uint64(testPause) / uint64(vclock.Second)
	binary.LittleEndian.PutUint16(b[364:], uint16(min(max(seconds, 1), 0xffff)))
	b[367] = 0x1b                               // off-line and self-tests at once, automatic; they read the surface and go on after a command
	binary.LittleEndian.PutUint16(b[368:], 0x3) // attributes are saved, by themselves
	b[370] = 1                                  // there is an error log
	b[372] = 1
	b[373] = uint8(min(seconds/60+1, pollingMinutes))
	d.smartReply(b[:])
}

func (d *drive) smartThresholds() {
	var b [sectorSize]byte
	binary.LittleEndian.PutUint16(b[0:], smartRevision)
	for i := range attributes {
		b[2+12*i], b[2+12*i+1] = attributes[i].id, attributes[i].threshold
	}
	d.smartReply(b[:])
}

func (d *drive) smartReply(b []byte) {
	checksum(b)
	d.reply(b)
}

// smartReadLog answers with a log, each of which has one sector.
func (d *drive) smartReadLog() {
	if d.count[0] != 1 {
		d.abort()
		return
	}
	var b [sectorSize]byte
	s := &d.smart
	switch n := d.lbaLow[0]; {
	case n == logDirectory:
		b[0] = 1
		for _, l := range []int{logErrors, logSelfTests} {
			b[2*l] = 1
		}
		for l := logHost; l < logHost+hostLogs; l++ {
			b[2*l] = 1
		}
		d.reply(b[:]) // it has no checksum
	case n == logErrors:
		b[0], b[1] = 1, uint8(s.errorIndex)
		for i := range s.errorLog {
			copy(b[2+errorEntryLen*i:], s.errorLog[i][:])
		}
		binary.LittleEndian.PutUint16(b[452:], s.errorCount)
		d.smartReply(b[:])
	case n == logSelfTests:
		b[0] = 1
		for i := range s.testLog {
			copy(b[2+testEntryLen*i:], s.testLog[i][:])
		}
		b[508] = uint8(s.testIndex)
		d.smartReply(b[:])
	case n >= logHost && n < logHost+hostLogs:
		copy(b[:], s.host[n-logHost])
		d.reply(b[:])
	default:
		d.abort()
	}
}

func (d *drive) smartWriteLog() {
	if n := d.lbaLow[0]; d.count[0] != 1 || n < logHost || n >= logHost+hostLogs {
		d.abort()
		return
	}
	d.next = uint64(d.lbaLow[0] - logHost)
	d.cmdWriteBuffer()
}

// smartLogWritten follows the sector of a WRITE LOG.
func (d *drive) smartLogWritten(b []byte) {
	d.smart.host[d.next%hostLogs] = append([]byte(nil), b...)
}

// take notes a command, for the error log.
func (d *drive) take(cmd uint8) {
	copy(d.smart.last[:], d.smart.last[1:])
	e := &d.smart.last[lastCommands-1]
	*e = taken{d.ch.control, d.feature[0], d.count[0], d.lbaLow[0], d.lbaMid[0], d.lbaHigh[0], d.device&^dvDEV | uint8(d.unit)<<4, cmd}
	binary.LittleEndian.PutUint32(e[8:], uint32(d.uptime()/(vclock.Second/1000)))
}

// logError makes an entry for a command that has failed, with what is in the
// task file (§8.41.6.8.2.4). Commands that were wrong are not logged.
func (d *drive) logError() {
	s := &d.smart
	if d.err&erUNC != 0 {
		s.errors++
	}
	s.errorIndex = s.errorIndex%errorEntries + 1
	if s.errorCount < 0xffff {
		s.errorCount++
	}
	e := &s.errorLog[s.errorIndex-1]
	for i := range s.last {
		copy(e[12*i:], s.last[i][:])
	}
	x := e[60:]
	clear(x)
	x[1], x[2], x[3], x[4], x[5] = d.err, d.count[0], d.lbaLow[0], d.lbaMid[0], d.lbaHigh[0]
	x[6], x[7] = d.device&^dvDEV|uint8(d.unit)<<4, d.status
	x[27] = 3 // active or idle
	binary.LittleEndian.PutUint16(x[28:], d.hours())
}

func (d *drive) hours() uint16 { return uint16(d.uptime() / vclock.Second / 3600) }

// smartOffline begins a test, or ends the one that runs.
func (d *drive) smartOffline() {
	kind := d.lbaLow[0]
	switch kind {
	case testCollect, testShort, testExtended, testShort | testCaptive, testExtended | testCaptive:
	case testAbort:
		d.endTest(testAborted)
		d.finish()
		return
	default:
		d.abort()
		return
	}
	d.endTest(testAborted)
	t := &d.smart.test
	total := d.total()
	t.running, t.kind, t.next, t.step, t.single = true, kind, 0, chunk/sectorSize, false
	if kind&^testCaptive == testShort {
		t.step = max(t.step, total/testPieces)
	}
	t.due = d.ch.c.Env.Clock.Now() + testPause
	t.timer.Set(t.due)
	d.testProgress()
	if kind&testCaptive != 0 {
		d.noData()
		d.status = stBSY
		return
	}
	d.finish()
}

// captive reports whether a test keeps the drive busy.
func (d *drive) captive() bool { return d.smart.test.running && d.smart.test.kind&testCaptive != 0 }

// testProgress writes how much of the test is left, in tenths.
func (d *drive) testProgress() {
	t := &d.smart.test
	if t.kind == testCollect {
		d.smart.collect = collectRunning
		return
	}
	total := max(d.total(), 1)
	left := (total - min(t.next, total)) * 10 / total
	d.smart.testStatus = testRunning<<4 | uint8(min(max(left, 1), 9))
}

// testTick reads the next piece of a test.
func (d *drive) testTick() {
	t := &d.smart.test
	now := d.ch.c.Env.Clock.Now()
	if !t.running || t.flight {
		return
	}
	if now < t.due {
		t.timer.Set(t.due)
		return
	}
	total := d.total()
	if t.next >= total {
		d.endTest(testPassed)
		return
	}
	if t.buf == nil {
		t.buf = make([]byte, chunk)
	}
	n, step := min(total-t.next, uint64(len(t.buf)/sectorSize)), t.step
	if t.single {
		n, step = 1, 1
	}
	t.flight = true
	gen, at := t.gen, t.next
	d.q.Submit(block.Read, int64(at)*sectorSize, t.buf[:n*sectorSize], 0, func(err error) {
		if t.gen != gen {
			return
		}
		t.flight = false
		if err != nil && n > 1 {
			t.single, step = true, 0
		} else if err != nil {
			d.ch.c.Env.Log.Guest("ide: drive %d: self-test: %v", d.unit, err)
			d.endTest(testReadFailed)
			return
		}
		t.next = at + step
		t.due = d.ch.c.Env.Clock.Now() + testPause
		t.timer.Set(t.due)
		d.testProgress()
	})
}

// endTest ends the test that runs, if one does, and logs it.
func (d *drive) endTest(result uint8) {
	t := &d.smart.test
	if !t.running {
		return
	}
	s := &d.smart
	captive := d.captive()
	failed := t.next
	if t.flight {
		t.gen++
		t.flight, t.buf = false, nil // the old one still belongs to the queue
	}
	t.running, t.due = false, 0
	t.timer.Stop()
	if t.kind == testCollect {
		switch result {
		case testPassed:
			s.collect = collectDone
		case testReadFailed:
			s.collect = collectFailed
		default:
			s.collect = collectAborted
		}
	} else {
		left := uint8(0)
		if result != testPassed {
			left = s.testStatus & 15
		}
		s.testStatus = result<<4 | left
		s.testIndex = s.testIndex%testEntries + 1
		e := &s.testLog[s.testIndex-1]
		*e = [testEntryLen]byte{t.kind, s.testStatus}
		binary.LittleEndian.PutUint16(e[2:], d.hours())
		if result == testReadFailed {
			binary.LittleEndian.PutUint32(e[5:], uint32(min(failed, 1<<32-1)))
		} else {
			e[5], e[6], e[7], e[8] = 0xff, 0xff, 0xff, 0xff // no address
		}
	}
	if captive && result != testReset {
		if result == testPassed {
			d.finish()
		} else {
			d.fail(erABRT)
			d.lbaMid[0], d.lbaHigh[0] = smartFailMid, smartFailHigh
		}
		d.ch.Settle()
	}
}

func (d *drive) smartState(s *snap.Section) {
	s.Version(1)
	m := &d.smart
	s.Bool("enabled", &m.enabled)
	s.Bool("autosave", &m.autosave)
	s.Bool("auto-offline", &m.autoOffline)
	s.U32("starts", &m.starts)
	s.U32("errors", &m.errors)
	s.U16("error-count", &m.errorCount)
	s.Int("error-index", &m.errorIndex, 0, errorEntries)
	for i := range m.errorLog {
		s.Bytes(string([]byte{'e', 'r', 'r', 'o', 'r', '0' + byte(i)}), m.errorLog[i][:])
	}
	for i := range m.last {
		s.Bytes(string([]byte{'l', 'a', 's', 't', '0' + byte(i)}), m.last[i][:])
	}
	s.U8("collect", &m.collect)
	s.U8("test-status", &m.testStatus)
	s.Int("test-index", &m.testIndex, 0, testEntries)
	log := make([]byte, 0, testEntries*testEntryLen)
	for i := range m.testLog {
		log = append(log, m.testLog[i][:]...)
	}
	s.Bytes("test-log", log)
	var host []byte // a byte for each that is there, and they
	for i := range m.host {
		if m.host[i] != nil {
			host = append(append(host, byte(i)), m.host[i]...)
		}
	}
	s.VarBytes("host-logs", &host, hostLogs*(1+sectorSize))
	t := &m.test
	s.Bool("test-running", &t.running)
	s.U8("test-kind", &t.kind)
	s.U64("test-next", &t.next)
	s.U64("test-step", &t.step)
	s.Bool("test-single", &t.single)
	s.I64("test-due", &t.due)
	s.Check(len(host)%(1+sectorSize) == 0, "host's logs are cut short")
	s.Check(t.next <= 1<<49 && t.step <= 1<<49 && (t.step > 0 || !t.running), "self-test is out of range")
	s.Check(t.due >= 0 && t.due <= 1<<60, "a time is out of range")
	s.Check(!d.captive() || d.status&stBSY != 0, "a captive test has the drive idle")
	if !s.Loading() {
		return
	}
	t.gen++
	t.flight, t.buf = false, nil
	t.timer.Stop()
	if s.Err() != nil {
		t.running = false
		return
	}
	for i := range m.testLog {
		copy(m.testLog[i][:], log[i*testEntryLen:])
	}
	m.host = [hostLogs][]byte{}
	for ; len(host) > 0; host = host[1+sectorSize:] {
		m.host[host[0]%hostLogs] = append([]byte(nil), host[1:1+sectorSize]...)
	}
	if t.running {
		t.timer.Set(t.due)
	}
}

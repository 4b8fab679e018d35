package ide

import (
	"encoding/binary"

	"rhea/internal/block"
	"rhea/internal/snap"
)

const (
	sectorSize = 512
	// chunk is how many bytes are fetched or stored at a time.
	chunk = 128 << 10
	// maxReply bounds what a packet command can answer.
	maxReply = 64 << 10
)

// op is what a drive's transfer is part of: it says what follows when the
// buffer has been moved.
type op uint8

const (
	opNone         op = iota
	opReply           // PIO in of one buffer, then the command ends
	opRead            // PIO in, sectors
	opWrite           // PIO out, sectors
	opReadDMA         // DMA in, sectors
	opWriteDMA        // DMA out, sectors
	opBuffer          // PIO out to the drive's own buffer (WRITE BUFFER)
	opPacket          // PIO out of a command packet
	opPacketIn        // PIO in for a packet command
	opPacketOut       // PIO out for a packet command
	opPacketDMA       // DMA in for a packet command
	opPacketDMAOut    // DMA out for a packet command
	opVerify          // sectors are read, and that is all
	opTrim            // DMA out of ranges to forget
	opLast         = opTrim
)

// drive is one ATA or ATAPI drive.
type drive struct {
	c    DriveConfig
	ch   *Channel
	unit int
	q    *block.Queue // nil = no medium

	// Task file; index 1 is the previous content (48-bit commands).
	feature, count          [2]uint8
	lbaLow, lbaMid, lbaHigh [2]uint8
	device                  uint8
	status, err             uint8
	intrq                   bool
	fresh                   bool // the task file holds the signature

	// Settings.
	heads, sectors int    // current translation
	multiple       int    // sectors of a READ MULTIPLE block, 0 = not set
	maxLBA         uint64 // SET MAX: the last sector that can be addressed
	mode           uint8  // SET FEATURES transfer mode
	noWriteCache   bool
	noReadAhead    bool
	standby        bool

	// The transfer under way. buf[pos:stop] is the current DRQ block of
	// the data in buf[:end]; next and left are the sectors that follow.
	op        op
	cmd       uint8
	buf       []byte
	pos       int
	stop, end int
	next      uint64
	left      int
	blockSize int  // of DRQ blocks
	single    bool // a read has failed: sector by sector from here, to find which
	inFlight  bool
	gen       uint64 // of the command: results for an older one are dropped

	own   [sectorSize]byte // READ/WRITE BUFFER
	smart smart

	atapi
}

func newDrive(ch *Channel, unit int, c DriveConfig) *drive {
	d := &drive{c: c, ch: ch, unit: unit, buf: make([]byte, chunk)}
	if d.c.Firmware == "" {
		d.c.Firmware = "2.5+"
	}
	if d.c.Model == "" {
		d.c.Model = "QEMU HARDDISK"
		if c.CDROM {
			d.c.Model = "QEMU DVD-ROM"
		}
	}
	if d.c.Serial == "" {
		d.c.Serial = []string{"QM00001", "QM00002"}[unit]
	}
	if c.Backend != nil {
		d.connect(c.Backend)
	}
	if !c.CDROM {
		d.geometry()
		d.smart.enabled, d.smart.autosave, d.smart.starts = true, true, 1
		d.smart.test.timer = ch.c.Env.Clock.NewTimer(d.testTick)
	}
	return d
}

func (d *drive) connect(b block.Backend) {
	post := d.ch.c.Env.Post
	if d.ch.c.Sync {
		post = nil
	}
	d.q = block.NewQueue(b, 1, post)
}

// geometry computes what IDENTIFY says, as disks up to ATA-5 do: 16 heads, 63
// sectors, at most 16383 cylinders.
func (d *drive) geometry() {
	total := d.total()
	if d.c.Heads <= 0 || d.c.Heads > 16 || d.c.Sectors <= 0 || d.c.Sectors > 255 || d.c.Cylinders <= 0 {
		d.c.Heads, d.c.Sectors = 16, 63
		d.c.Cylinders = int(min(max(total/(16*63), 1), 16383))
	}
	d.c.Cylinders = min(d.c.Cylinders, 65535)
}

// Geometry returns cylinders, heads and sectors per track of a disk as its
// IDENTIFY data says, for a board's CMOS.
func (ch *Channel) Geometry(unit int) (cylinders, heads, sectors int, ok bool) {
	d := ch.drives[unit&1]
	if d == nil || d.c.CDROM {
		return 0, 0, 0, false
	}
	return d.c.Cylinders, d.c.Heads, d.c.Sectors, true
}

// total is the disk's size in sectors.
func (d *drive) total() uint64 {
	if d.q == nil {
		return 0
	}
	return uint64(d.q.Backend().Size()+sectorSize-1) / sectorSize
}

// statusNow is the status register as it is read.
func (d *drive) statusNow() uint8 {
	if d.ch.control&ctSRST != 0 {
		return stBSY
	}
	return d.status
}

// ready is the status of a drive that does nothing.
func (d *drive) ready() uint8 { return stDRDY | stDSC }

// abandon forgets the transfer under way.
func (d *drive) abandon() {
	d.gen++
	if d.inFlight {
		d.buf = make([]byte, chunk) // the old one still belongs to the queue
		d.inFlight = false
	}
	d.noData()
	d.intrq = false
}

// noData ends any transfer: the data register reaches nothing (CVE-2015-5154
// was a buffer left behind at the end of a command).
func (d *drive) noData() {
	d.op = opNone
	d.pos, d.stop, d.end, d.left = 0, 0, 0, 0
	d.status &^= stDRQ
}

// signature fills the task file as after a reset (§9.12).
func (d *drive) signature() {
	d.count = [2]uint8{1}
	d.lbaLow = [2]uint8{1}
	d.lbaMid, d.lbaHigh = [2]uint8{}, [2]uint8{}
	d.feature = [2]uint8{}
	d.device = 0
	if d.c.CDROM {
		d.lbaMid[0], d.lbaHigh[0] = 0x14, 0xeb
	}
	d.err = 1 // diagnostics passed
	d.fresh = true
}

func (d *drive) softReset() {
	d.endTest(testReset)
	d.abandon()
	d.signature()
	d.multiple = 0
	d.standby = false
	if d.c.CDROM {
		d.status = 0
	} else {
		d.status = d.ready()
	}
}

func (d *drive) hardReset() {
	d.softReset()
	d.heads, d.sectors = d.c.Heads, d.c.Sectors
	d.maxLBA = max(d.total(), 1) - 1
	d.mode = 0
	d.noWriteCache, d.noReadAhead = d.c.NoWriteCache, false
	clear(d.own[:])
	d.atapi.reset()
}

func (d *drive) diagnostic() {
	d.abandon()
	d.signature()
	d.status = d.ready()
	if d.c.CDROM {
		d.status = 0
	}
}

// execute starts a command.
func (d *drive) execute(cmd uint8) {
	c := lookup(cmd)
	if d.status&(stBSY|stDRQ) != 0 && !(cmd == cmdDeviceReset && d.c.CDROM) {
		if d.status&stBSY != 0 {
			d.ch.c.Env.Log.Guest("ide: command %#02x while busy", cmd)
			return
		}
		d.noData() // a new command ends a transfer that waits
	}
	d.intrq = false
	d.cmd = cmd
	if !d.c.CDROM {
		d.take(cmd)
	}
	for1 := uint8(forATA)
	if d.c.CDROM {
		for1 = forATAPI
	}
	if c.run == nil || c.who&for1 == 0 {
		if c.run == nil {
			d.ch.c.Env.Log.Guest("ide: unknown command %#02x", cmd)
		}
		if d.c.CDROM && (cmd == 0xec || cmd == 0x20 || cmd == 0x21) {
			d.signature() // so that a driver finds out what it has (§9.12)
		}
		d.abort()
		return
	}
	d.gen++
	d.err = 0 // Windows wants 0 after success
	d.status = d.ready()
	if d.standby && c.who&quiet == 0 {
		d.standby = false
		d.smart.starts++
	}
	c.run(d)
}

// finish ends a command well.
func (d *drive) finish() {
	d.noData()
	d.status = d.ready()
	d.err = 0
	d.intrq = true
}

// fail ends a command with an error.
func (d *drive) fail(code uint8) {
	d.noData()
	d.status = d.ready() | stERR
	d.err = code
	d.intrq = true
}

func (d *drive) abort() { d.fail(erABRT) }

// readData is a read of the data register.
func (d *drive) readData(size int) uint64 {
	if d.status&stDRQ == 0 || !d.op.pioIn() || d.pos >= d.stop {
		return 0
	}
	var v uint64
	if b := d.buf[d.pos:d.stop]; len(b) >= size && size == 2 {
		v = uint64(binary.LittleEndian.Uint16(b))
	} else {
		for i := range min(size, len(b)) {
			v |= uint64(b[i]) << (8 * i)
		}
	}
	d.pos = min(d.pos+size, d.stop)
	if d.pos == d.stop {
		d.blockIn()
	}
	return v
}

// writeData is a write of the data register.
func (d *drive) writeData(size int, v uint64) {
	if d.status&stDRQ == 0 || !d.op.pioOut() || d.pos >= d.stop {
		return
	}
	b := d.buf[d.pos:d.stop]
	for i := range min(size, len(b)) {
		b[i] = byte(v >> (8 * i))
	}
	d.pos = min(d.pos+size, d.stop)
	if d.pos == d.stop {
		d.blockOut()
	}
}

func (o op) pioIn() bool { return o == opReply || o == opRead || o == opPacketIn }
func (o op) pioOut() bool {
	return o == opWrite || o == opBuffer || o == opPacket || o == opPacketOut
}
func (o op) dmaIn() bool  { return o == opReadDMA || o == opPacketDMA }
func (o op) dmaOut() bool { return o == opWriteDMA || o == opPacketDMAOut || o == opTrim }

// reply answers with b in one PIO block.
func (d *drive) reply(b []byte) {
	n := copy(d.buf, b)
	d.op = opReply
	d.pos, d.stop, d.end = 0, n, n
	d.status = d.ready() | stDRQ
	d.intrq = true
}

// blockIn follows the last word of a DRQ block that the host has read.
func (d *drive) blockIn() {
	switch d.op {
	case opRead:
		switch {
		case d.pos < d.end:
			d.offer()
		case d.left > 0:
			d.fetch()
		default:
			d.ended() // no interrupt after the last block
			d.noData()
			d.status = d.ready()
		}
	case opPacketIn:
		d.packetBlockIn()
	default:
		d.noData()
		d.status = d.ready()
	}
}

// blockOut follows the last word of a DRQ block that the host has written.
func (d *drive) blockOut() {
	switch d.op {
	case opWrite:
		d.store()
	case opBuffer:
		if d.cmd == cmdSMARTCode {
			d.smartLogWritten(d.buf[:sectorSize])
		} else {
			copy(d.own[:], d.buf[:sectorSize])
		}
		d.finish()
	case opPacket:
		d.packet()
	case opPacketOut:
		d.packetData()
	}
}

// offer makes the next DRQ block of the buffer readable.
func (d *drive) offer() {
	d.stop = min(d.pos+d.blockSize, d.end)
	d.status = d.ready() | stDRQ
	d.intrq = true
}

// submit starts an image access; then is called, unless the command has been
// abandoned, when it is done.
func (d *drive) submit(o block.Op, off int64, b []byte, then func(error)) {
	d.request(o, off, b, 0, then)
}

// request is submit, also for accesses that have a length and no data.
func (d *drive) request(o block.Op, off int64, b []byte, length int64, then func(error)) {
	d.status = stBSY
	d.inFlight = true
	gen := d.gen
	d.q.Submit(o, off, b, length, func(err error) {
		if d.gen != gen {
			return
		}
		d.inFlight = false
		then(err)
		d.ch.Settle()
	})
}

// fetch reads the next chunk of the sectors that are left.
func (d *drive) fetch() {
	n := min(d.left, len(d.buf)/sectorSize)
	if d.single {
		n = 1
	}
	d.submit(block.Read, int64(d.next)*sectorSize, d.buf[:n*sectorSize], func(err error) {
		switch {
		case err != nil && n > 1:
			d.single = true
			d.fetch()
			return
		case err != nil:
			d.mediumError(err)
			return
		}
		d.next += uint64(n)
		d.left -= n
		d.pos, d.end = 0, n*sectorSize
		switch {
		case d.op == opVerify && d.left > 0:
			d.fetch()
		case d.op == opVerify:
			d.ended()
			d.finish()
		case d.op == opReadDMA:
			d.stop = d.end
			d.status = d.ready() | stDRQ
			d.dmaRun()
		default:
			d.offer()
		}
	})
}

// accept makes room for the next block that the host writes.
func (d *drive) accept(first bool) {
	n := min(d.left*sectorSize, d.blockSize)
	d.pos, d.stop, d.end = 0, n, n
	d.status = d.ready() | stDRQ
	if !first {
		d.intrq = true
	}
}

// store writes the block that the buffer holds.
func (d *drive) store() {
	n := d.end / sectorSize
	d.submit(block.Write, int64(d.next)*sectorSize, d.buf[:d.end], func(err error) {
		if err != nil {
			d.mediumError(err)
			return
		}
		d.next += uint64(n)
		d.left -= n
		switch {
		case d.left == 0:
			d.ended()
			d.endDMA()
			d.finishWrite()
		case d.op == opWriteDMA:
			d.accept(true)
			d.dmaRun()
		default:
			d.accept(false)
		}
	})
}

// finishWrite ends a write, on stable storage if the write cache is off.
func (d *drive) finishWrite() {
	if !d.noWriteCache {
		d.finish()
		return
	}
	d.submit(block.Flush, 0, nil, func(err error) {
		if err != nil {
			d.mediumError(err)
			return
		}
		d.finish()
	})
}

// mediumError ends a command whose image access failed; the task file holds
// the address.
func (d *drive) mediumError(err error) {
	d.ch.c.Env.Log.Guest("ide: drive %d: %v", d.unit, err)
	d.setAddress(d.next)
	d.endDMA()
	code := uint8(erABRT)
	if d.op == opRead || d.op == opReadDMA || d.op == opVerify {
		code = erUNC
	}
	d.fail(code)
	d.logError()
}

// ended sets the task file to the last sector (ATA-3 and before).
func (d *drive) ended() {
	d.setAddress(d.next - 1)
	d.count[0] = 0
}

func (d *drive) endDMA() {
	if (d.op.dmaIn() || d.op.dmaOut()) && d.ch.c.DMA != nil {
		d.ch.c.DMA.Done()
	}
}

// dmaRun moves data as long as drive and bus master are both ready. The
// bound is the command's length: each turn moves something or ends.
func (d *drive) dmaRun() {
	for (d.op.dmaIn() || d.op.dmaOut()) && !d.inFlight && d.status&stDRQ != 0 {
		in := d.op.dmaIn()
		if d.ch.c.DMA == nil || !d.ch.c.DMA.Ready(in) {
			return
		}
		d.pos += min(max(d.ch.c.DMA.Move(d.buf[d.pos:d.stop], in), 0), d.stop-d.pos)
		if d.pos < d.stop {
			return // the PRD table has ended: the drive keeps waiting
		}
		switch d.op {
		case opReadDMA:
			if d.left > 0 {
				d.fetch()
			} else {
				d.ended()
				d.endDMA()
				d.finish()
			}
		case opWriteDMA:
			d.store()
		case opTrim:
			d.trim(0)
		case opPacketDMA:
			d.packetDMA()
		case opPacketDMAOut:
			d.endDMA()
			d.packetData()
		}
	}
}

// state is the drive's part of a snapshot.
func (d *drive) state(s *snap.Section) {
	s.Version(1)
	for _, r := range []struct {
		name string
		p    *[2]uint8
	}{{"feature", &d.feature}, {"count", &d.count}, {"lba-low", &d.lbaLow}, {"lba-mid", &d.lbaMid}, {"lba-high", &d.lbaHigh}} {
		s.U8(r.name, &r.p[0])
		s.U8(r.name+"-prev", &r.p[1])
	}
	s.U8("device", &d.device)
	s.U8("status", &d.status)
	s.U8("error", &d.err)
	s.Bool("intrq", &d.intrq)
	s.Bool("signature", &d.fresh)
	s.Int("heads", &d.heads, 0, 16)
	s.Int("sectors", &d.sectors, 0, 255)
	s.Int("multiple", &d.multiple, 0, maxMultiple)
	s.U64("max-lba", &d.maxLBA)
	s.Check(d.maxLBA < max(d.total(), 1), "SET MAX is beyond the disk")
	s.U8("mode", &d.mode)
	s.Bool("no-write-cache", &d.noWriteCache)
	s.Bool("no-read-ahead", &d.noReadAhead)
	s.Bool("standby", &d.standby)
	if s.Loading() {
		d.abandonForLoad()
	}
	if !d.c.CDROM {
		s.Sub("smart", d.smartState)
	}
	s.U8("op", (*uint8)(&d.op))
	s.U8("command", &d.cmd)
	s.Int("pos", &d.pos, 0, chunk)
	s.Int("stop", &d.stop, 0, chunk)
	s.Int("end", &d.end, 0, chunk)
	s.U64("next", &d.next)
	s.Int("left", &d.left, 0, 65536)
	s.Int("block-size", &d.blockSize, 0, chunk)
	s.Bool("single", &d.single)
	data := d.buf[:min(max(d.end, 0), chunk)]
	s.VarBytes("data", &data, chunk)
	if s.Loading() {
		s.Check(d.op <= opLast && d.pos <= d.stop && d.stop <= d.end && len(data) == d.end, "transfer is impossible")
		s.Check(d.next <= 1<<48 && (d.op < opRead || d.op > opWriteDMA || d.next+uint64(d.left) <= max(d.total(), 1)), "transfer beyond the disk")
		s.Check(d.op != opTrim || d.stop == d.end && d.end > 0 && d.end%sectorSize == 0 && d.end <= maxTrim*sectorSize, "ranges of another size")
		s.Check(d.blockSize > 0 || (d.op != opRead && d.op != opWrite), "empty blocks")
		s.Check(d.op != opBuffer || d.stop == sectorSize, "buffer transfer of another size")
		s.Check(d.op != opPacket || d.stop == packetSize, "packet of another size")
		s.Check(d.op != opWrite && d.op != opWriteDMA || (d.end%sectorSize == 0 && d.end/sectorSize <= d.left), "odd write")
		s.Check(d.status&stBSY == 0 || d.ch.control&ctSRST != 0 || !d.c.CDROM && d.captive(), "drive is busy")
		if s.Err() != nil {
			d.noData()
			return
		}
		copy(d.buf, data)
	}
	s.Bytes("own-buffer", d.own[:])
	if d.c.CDROM {
		s.Sub("atapi", d.atapiState)
	}
}

func (d *drive) abandonForLoad() {
	status, intrq := d.status, d.intrq
	d.abandon()
	d.status, d.intrq = status, intrq
}

package ide

import (
	"rhea/internal/block"
	"rhea/internal/snap"
)

const (
	packetSize = 12
	cdSector   = 2048
	rawSector  = 2352
)

// Interrupt reason, in the sector count register (§9.6).
const (
	irCoD = 1 << 0 // command, not data
	irIO  = 1 << 1 // to the host
)

// Sense keys (SFF-8020i §10.8.20) and the additional codes used here.
const (
	noSense        = 0
	notReady       = 2
	mediumErr      = 3
	illegalRequest = 5
	unitAttention  = 6
	writeProtect   = 7
)

// sense is a key with its additional code and qualifier.
type sense struct{ key, asc, ascq uint8 }

var (
	senseNone         = sense{}
	senseNoMedium     = sense{notReady, 0x3a, 0}
	senseMedium       = sense{mediumErr, 0x11, 0}
	senseOpcode       = sense{illegalRequest, 0x20, 0}
	senseRange        = sense{illegalRequest, 0x21, 0}
	senseField        = sense{illegalRequest, 0x24, 0}
	senseFormat       = sense{illegalRequest, 0x30, 2} // cannot read medium, incompatible format
	senseNoSaving     = sense{illegalRequest, 0x39, 0}
	senseMode         = sense{illegalRequest, 0x64, 0}
	senseChanged      = sense{unitAttention, 0x28, 0}
	senseRemovalLock  = sense{illegalRequest, 0x53, 2}
	senseWriteProtect = sense{writeProtect, 0x27, 0}
)

// How far the host knows of a new medium: first it is told that there is
// none, then that it may have changed. Systems that only look now and then
// need both.
const (
	changeNone = iota
	changeGone // report "no medium" once
	changeNew  // report "may have changed" once
)

// Media events (MMC-2 §9.1.2.4.2).
const (
	eventNone    = 0
	eventEject   = 1 // somebody pressed the button
	eventNew     = 2
	eventRemoval = 3
)

// atapi is the state that only a packet drive has.
type atapi struct {
	pkt    [packetSize]byte
	limit  int // bytes of a DRQ block, from the task file
	useDMA bool
	raw    bool
	sense  sense
	// badSector is what a senseMedium is about.
	badSector uint32
	locked    bool // PREVENT ALLOW MEDIUM REMOVAL
	trayOpen  bool
	change    int
	event     uint8
}

func (a *atapi) reset() {
	open, change, event := a.trayOpen, a.change, a.event
	*a = atapi{trayOpen: open, change: change, event: event}
}

func (d *drive) cmdDeviceReset() {
	d.softReset()
	d.atapi.sense = senseNone
}

// cmdPacket asks for a command packet (§8.23).
func (d *drive) cmdPacket() {
	if d.feature[0]&2 != 0 { // overlapped
		d.abort()
		return
	}
	d.useDMA = d.feature[0]&1 != 0
	if d.useDMA && d.ch.c.DMA == nil {
		d.abort()
		return
	}
	d.limit = int(d.lbaMid[0]) | int(d.lbaHigh[0])<<8
	d.op = opPacket
	d.pos, d.stop, d.end = 0, packetSize, packetSize
	d.count[0] = irCoD
	d.status = d.ready() | stDRQ
}

// packet carries out the packet that has arrived.
func (d *drive) packet() {
	copy(d.pkt[:], d.buf[:packetSize])
	d.noData()
	c := &packetCommands[d.pkt[0]]
	switch {
	case c.run == nil:
		d.ch.c.Env.Log.Guest("ide: unknown packet command % x", d.pkt)
		d.check(senseOpcode)
	case c.flags&anytime == 0 && d.change == changeGone:
		d.change = changeNew
		d.check(senseNoMedium)
	case c.flags&anytime == 0 && d.change == changeNew:
		d.change = changeNone
		d.check(senseChanged)
	case c.flags&needsMedium != 0 && (d.q == nil || d.trayOpen):
		d.check(senseNoMedium)
	default:
		c.run(d)
	}
}

// good ends a packet command well.
func (d *drive) good() {
	d.endDMA()
	d.sense = senseNone
	d.count[0] = irCoD | irIO
	d.finish()
}

// check ends a packet command with CHECK CONDITION.
func (d *drive) check(s sense) {
	d.endDMA()
	d.sense = s
	d.count[0] = irCoD | irIO
	d.fail(s.key<<4 | erABRT)
}

// answer sends b, cut to the allocation length that the packet gave.
func (d *drive) answer(b []byte, alloc int) {
	n := copy(d.buf, b[:min(len(b), alloc, maxReply)])
	if n == 0 {
		d.good()
		return
	}
	d.left = 0
	d.pos, d.end = 0, n
	d.sendBuffer()
}

// sendBuffer starts moving the buffer to the host.
func (d *drive) sendBuffer() {
	if d.useDMA {
		d.op = opPacketDMA
		d.stop = d.end
		d.count[0] = irIO
		d.status = d.ready() | stDRQ
		d.dmaRun()
		return
	}
	d.op = opPacketIn
	d.packetBlock()
}

// packetBlock offers the next DRQ block: at most the host's byte count limit,
// which is even unless it is all there is (§8.23.5.1).
func (d *drive) packetBlock() {
	limit := d.limit
	if limit == 0 || limit == 0xffff {
		limit = 0xfffe
	}
	n := d.end - d.pos
	if n > limit {
		n = max(limit&^1, 2)
	}
	d.stop = d.pos + n
	d.lbaMid[0], d.lbaHigh[0] = uint8(n), uint8(n>>8)
	d.count[0] = irIO
	d.status = d.ready() | stDRQ
	d.intrq = true
}

// packetBlockIn follows a block that the host has read.
func (d *drive) packetBlockIn() {
	switch {
	case d.pos < d.end:
		d.packetBlock()
	case d.left > 0:
		d.fetchCD()
	default:
		d.good()
	}
}

// packetDMA follows a buffer that the bus master has taken.
func (d *drive) packetDMA() {
	if d.left > 0 {
		d.fetchCD()
	} else {
		d.good()
	}
}

// readCD starts reading n sectors.
func (d *drive) readCD(lba uint64, n int, raw bool) {
	size := d.cdSectors()
	if lba > size || uint64(n) > size-lba {
		d.check(senseRange)
		return
	}
	if n == 0 {
		d.good()
		return
	}
	d.next, d.left, d.raw, d.single = lba, n, raw, false
	d.op = opPacketIn
	if d.useDMA {
		d.op = opPacketDMA
	}
	d.fetchCD()
}

// fetchCD reads the next sectors into the buffer.
func (d *drive) fetchCD() {
	if d.q == nil { // the medium went away
		d.check(senseNoMedium)
		return
	}
	n := min(d.left, 32)
	if d.single {
		n = 1
	}
	d.submit(block.Read, int64(d.next)*cdSector, d.buf[:n*cdSector], func(err error) {
		if err != nil && n > 1 {
			d.single = true
			d.fetchCD()
			return
		}
		if err != nil {
			d.ch.c.Env.Log.Guest("ide: CD-ROM: %v", err)
			d.badSector = uint32(d.next)
			d.check(senseMedium)
			return
		}
		d.pos, d.end = 0, n*cdSector
		if d.raw {
			d.makeRaw(n)
		}
		d.next += uint64(n)
		d.left -= n
		d.sendBuffer()
	})
}

// makeRaw spreads n sectors of user data into raw mode 1 sectors: sync,
// header, data, and room for the codes that are not computed.
func (d *drive) makeRaw(n int) {
	for i := n - 1; i >= 0; i-- {
		raw := d.buf[i*rawSector : (i+1)*rawSector]
		copy(raw[16:], d.buf[i*cdSector:(i+1)*cdSector])
		clear(raw[16+cdSector:])
		for j := range 12 {
			raw[j] = 0xff
		}
		raw[0], raw[11] = 0, 0
		m, s, f := msf(uint32(d.next) + uint32(i))
		raw[12], raw[13], raw[14], raw[15] = bcd(m), bcd(s), bcd(f), 1
	}
	d.end = n * rawSector
}

// cdSectors is the medium's size in sectors.
func (d *drive) cdSectors() uint64 {
	if d.q == nil {
		return 0
	}
	return uint64(d.q.Backend().Size()+cdSector-1) / cdSector
}

// accept data of a packet command: n bytes, at most what the buffer holds.
func (d *drive) receive(n int) {
	if n == 0 {
		d.good()
		return
	}
	d.pos, d.end = 0, min(n, maxReply)
	d.stop = d.end
	d.count[0] = 0
	d.status = d.ready() | stDRQ
	if d.useDMA {
		d.op = opPacketDMAOut
		d.dmaRun()
		return
	}
	d.op = opPacketOut
	d.packetBlock()
	d.count[0] = 0
}

// packetData follows a block that the host has written for a packet command:
// MODE SELECT is all there is, and nothing can be set.
func (d *drive) packetData() {
	if d.op == opPacketOut && d.pos < d.end {
		d.packetBlock()
		d.count[0] = 0
		return
	}
	d.good()
}

func (d *drive) atapiState(s *snap.Section) {
	s.Version(1)
	s.Bytes("packet", d.pkt[:])
	s.Int("limit", &d.limit, 0, 0xffff)
	s.Bool("use-dma", &d.useDMA)
	s.Bool("raw", &d.raw)
	s.U8("sense-key", &d.sense.key)
	s.U8("sense-asc", &d.sense.asc)
	s.U8("sense-ascq", &d.sense.ascq)
	s.Check(d.sense.key < 16, "sense key is out of range")
	s.U32("bad-sector", &d.badSector)
	s.Bool("locked", &d.locked)
	s.Bool("tray-open", &d.trayOpen)
	s.Int("change", &d.change, changeNone, changeNew)
	s.U8("event", &d.event)
	s.Check(d.event <= eventRemoval, "media event is out of range")
	if d.op == opPacketIn || d.op == opPacketDMA {
		s.Check(d.next+uint64(d.left) <= d.cdSectors() || d.left == 0, "read is beyond the disc")
	}
}

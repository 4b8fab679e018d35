package e1000

import (
	"encoding/binary"

	"rhea/internal/netdev"
	"rhea/internal/snap"
)

// Transmit descriptors (§3.3): CMD, as legacy and data descriptors have it,
// and TUCMD, DTYP and POPTS of the extended ones.
const (
	txdEOP  = 1 << 0
	txdIC   = 1 << 2 // legacy: insert checksum
	txdTSE  = 1 << 2 // data
	txdRS   = 1 << 3
	txdDEXT = 1 << 5
	txdVLE  = 1 << 6
	txdIDE  = 1 << 7

	tucmdTCP = 1 << 0
	tucmdIP  = 1 << 1
	tucmdTSE = 1 << 2

	dtypContext = 0
	dtypData    = 1

	poptsIXSM = 1 << 0
	poptsTXSM = 1 << 1

	txdDD = 1 << 0
)

// offload is a context (§3.3.6): where checksums are, and how to segment.
type offload struct {
	ipcss, ipcso, tucss, tucso uint8
	ipcse, tucse               uint16
	tucmd, hdrlen              uint8
	mss                        uint16
}

func (o *offload) state(s *snap.Section) {
	s.Version(1)
	s.U8("ipcss", &o.ipcss)
	s.U8("ipcso", &o.ipcso)
	s.U16("ipcse", &o.ipcse)
	s.U8("tucss", &o.tucss)
	s.U8("tucso", &o.tucso)
	s.U16("tucse", &o.tucse)
	s.U8("tucmd", &o.tucmd)
	s.U8("hdrlen", &o.hdrlen)
	s.U16("mss", &o.mss)
}

// maxPacket is how much of one packet is taken: what IP can have, and its
// Ethernet header.
const maxPacket = 64<<10 + netdev.HeaderLen

// transmitter is a packet that is being put together from its descriptors, or
// that waits for the network.
type transmitter struct {
	buf     []byte
	started bool // descriptors of it have been read
	ready   bool // all have: it waits for the network
	lost    bool // it is too long
	tagged  bool // its VLAN tag is in it
	cmd     uint8
	popts   uint8
	css     uint8 // legacy: where the checksum begins, and where it goes
	cso     uint8
	special uint16
	segment int // of TSO: how many have gone
	tso     offload
	plain   offload
}

func (t *transmitter) state(s *snap.Section) {
	s.Version(1)
	s.VarBytes("buf", &t.buf, maxPacket)
	s.Bool("started", &t.started)
	s.Bool("ready", &t.ready)
	s.Bool("lost", &t.lost)
	s.Bool("tagged", &t.tagged)
	s.U8("cmd", &t.cmd)
	s.U8("popts", &t.popts)
	s.U8("css", &t.css)
	s.U8("cso", &t.cso)
	s.U16("special", &t.special)
	s.Int("segment", &t.segment, 0, maxPacket)
	s.Sub("tso", t.tso.state)
	s.Sub("plain", t.plain.state)
}

// maxWork is how many bytes one turn reads at most. Packets that are sent come
// to the network's bound first.
const maxWork = 2 << 20

// transmit sends what there is between head and tail. A turn is no longer than
// the ring, whatever its registers say.
func (k *Card) transmit() {
	k.txAgain = 0
	if k.reg[regTCTL]&tctlEN == 0 || !k.fn.BusMaster() {
		return
	}
	sent := false
	work := 0
	for left := k.reg[regTDLEN] / descLen; ; left-- {
		if k.tx.ready && !k.flush() {
			break
		}
		n, head := k.ring(regTDLEN, regTDH)
		if n == 0 || head == k.reg[regTDT] {
			if sent {
				k.reg[regICR] |= icrTXQE
			}
			break
		}
		if left == 0 {
			k.c.Env.Log.Guest("e1000: the tail %d is not in the ring of %d transmit descriptors", k.reg[regTDT], n)
			break
		}
		if work >= maxWork { // others have their turn
			k.txAgain = k.c.Env.Clock.Now() + 20_000
			break
		}
		work += descLen + k.descriptor(k.base(regTDBAL)+uint64(head)*descLen)
		sent = true
		if head++; head == n {
			head = 0
		}
		k.reg[regTDH] = head
	}
}

// descriptor does one descriptor and returns how many bytes of data it has.
func (k *Card) descriptor(at uint64) int {
	var d [descLen]byte
	k.fn.DMARead(at, d[:])
	lower := binary.LittleEndian.Uint32(d[8:])
	upper := binary.LittleEndian.Uint32(d[12:])
	cmd := uint8(lower >> 24)
	t := &k.tx
	n := int(lower & 0xffff)
	switch {
	case cmd&txdDEXT == 0:
		if !t.started {
			t.begin(cmd, 0)
			t.css, t.cso = uint8(upper>>8), d[10]
		}
	case lower>>20&15 == dtypContext:
		k.context(d[:], cmd)
		k.done(at, cmd, upper)
		return 0
	case lower>>20&15 == dtypData:
		n = int(lower & 0xfffff)
		if !t.started {
			t.begin(cmd, uint8(upper>>8))
			t.css, t.cso = 0, 0
		}
	default:
		k.c.Env.Log.Guest("e1000: transmit descriptor of unknown type %d", lower>>20&15)
		k.done(at, cmd, upper)
		return 0
	}
	if len(t.buf)+n > maxPacket {
		t.lost = true
	} else {
		from := len(t.buf)
		if cap(t.buf) < from+n {
			grown := make([]byte, from, maxPacket)
			copy(grown, t.buf)
			t.buf = grown
		}
		t.buf = t.buf[:from+n]
		k.fn.DMARead(binary.LittleEndian.Uint64(d[:]), t.buf[from:])
	}
	if cmd&txdEOP != 0 {
		if cmd&txdVLE != 0 {
			t.cmd |= txdVLE
			t.special = uint16(upper >> 16)
		}
		t.ready = true
	}
	k.done(at, cmd, upper)
	return n
}

// begin notes what a packet's first descriptor says of the whole.
func (t *transmitter) begin(cmd, popts uint8) {
	t.buf = t.buf[:0]
	t.started, t.ready, t.lost, t.tagged, t.segment, t.special = true, false, false, false, 0, 0
	t.cmd, t.popts = cmd&^txdVLE, popts
}

// context stores a context; there are two, one for segmentation.
func (k *Card) context(d []byte, cmd uint8) {
	o := offload{ipcss: d[0], ipcso: d[1], ipcse: binary.LittleEndian.Uint16(d[2:]),
		tucss: d[4], tucso: d[5], tucse: binary.LittleEndian.Uint16(d[6:]),
		tucmd: cmd, hdrlen: d[13], mss: binary.LittleEndian.Uint16(d[14:])}
	if cmd&tucmdTSE != 0 {
		k.tx.tso = o
	} else {
		k.tx.plain = o
	}
}

// done writes a descriptor's status back, if it asks for that (RS), and raises
// its interrupt, at once or with a delay (IDE).
func (k *Card) done(at uint64, cmd uint8, upper uint32) {
	if cmd&txdRS == 0 {
		return
	}
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], upper|txdDD)
	k.fn.DMAWrite(at+12, b[:])
	if cmd&txdIDE == 0 || k.reg[regTIDV] == 0 {
		k.reg[regICR] |= icrTXDW
		return
	}
	k.delayed(&k.txDue, &k.txLast, k.reg[regTIDV], k.reg[regTADV])
}

// flush gives the packet that is ready to the network. It reports false while
// that has no room.
func (k *Card) flush() bool {
	t := &k.tx
	if len(t.buf) >= netdev.HeaderLen && !t.lost && k.c.Net != nil && !k.send() {
		return false
	}
	t.started, t.ready = false, false
	return true
}

func (k *Card) send() bool {
	t := &k.tx
	ext := t.cmd&txdDEXT != 0
	k.tag()
	if ext && t.cmd&txdTSE != 0 {
		return k.sendSegments()
	}
	frame := t.buf
	// A network that only would check the checksum takes it without.
	big := ext && t.popts&poptsTXSM != 0 && k.c.Net.Big()
	if t.segment == 0 { // not yet tried
		o := t.plain.moved(t.tagged)
		if ext && t.popts&poptsIXSM != 0 {
			insert(frame, int(o.ipcss), int(o.ipcso), int(o.ipcse))
		}
		switch {
		case ext && t.popts&poptsTXSM != 0 && !big:
			insert(frame, int(o.tucss), int(o.tucso), int(o.tucse))
		case !ext && t.cmd&txdIC != 0:
			insert(frame, int(t.css), int(t.cso), 0)
		}
		if k.reg[regTCTL]&tctlPSP != 0 {
			for len(t.buf) < netdev.MinFrame {
				t.buf = append(t.buf, 0)
			}
			frame = t.buf
		}
		t.segment = 1
	}
	switch {
	case len(frame) > netdev.MaxFrame:
		k.c.Env.Log.Guest("e1000: a packet of %d bytes is too long for the cable", len(frame))
	case k.reg[regRCTL]&rctlLBM != 0:
		k.Deliver(frame)
	case big:
		if !k.c.Net.DeliverBig(frame) {
			return false
		}
	case !k.c.Net.Deliver(frame):
		return false
	}
	k.countTx(frame)
	return true
}

// tag inserts the VLAN tag that the last descriptor asked for (§9.3).
func (k *Card) tag() {
	t := &k.tx
	n := len(t.buf)
	if t.tagged || t.cmd&txdVLE == 0 || k.reg[regCTRL]&ctrlVME == 0 || n < netdev.HeaderLen || n+4 > maxPacket {
		return
	}
	t.tagged = true
	t.buf = append(t.buf, 0, 0, 0, 0)
	copy(t.buf[16:], t.buf[12:n])
	binary.BigEndian.PutUint16(t.buf[12:], uint16(k.reg[regVET]))
	binary.BigEndian.PutUint16(t.buf[14:], t.special)
}

// moved is the context with its offsets behind an inserted tag.
func (o offload) moved(tagged bool) offload {
	if !tagged {
		return o
	}
	o.ipcss, o.ipcso, o.tucss, o.tucso, o.hdrlen = o.ipcss+4, o.ipcso+4, o.tucss+4, o.tucso+4, o.hdrlen+4
	if o.ipcse != 0 {
		o.ipcse += 4
	}
	if o.tucse != 0 {
		o.tucse += 4
	}
	return o
}

// insert puts the checksum of the bytes from css to cse, which is included (0 =
// the end), at cso (§3.3.5).
func insert(frame []byte, css, cso, cse int) {
	end := len(frame)
	if cse != 0 {
		end = min(end, cse+1)
	}
	if css >= end || cso+2 > len(frame) {
		return
	}
	sum := netdev.Fold(netdev.Sum(frame[css:end], 0))
	if sum == 0 {
		sum = 0xffff // RFC 768: zero says that there is none
	}
	binary.BigEndian.PutUint16(frame[cso:], sum)
}

// sendSegments cuts a packet up (§3.5), or leaves that to the network.
func (k *Card) sendSegments() bool {
	t := &k.tx
	o := t.tso.moved(t.tagged)
	ip, tcp, payload, mss := int(o.ipcss), int(o.tucss), int(o.hdrlen), int(o.mss)
	if payload > len(t.buf) || tcp+20 > payload || ip+20 > tcp || ip < netdev.HeaderLen || mss == 0 || o.tucmd&tucmdTCP == 0 {
		k.c.Env.Log.Guest("e1000: segmentation of a packet of %d bytes with a header of %d, MSS %d, is impossible", len(t.buf), payload, mss)
		return true
	}
	if k.c.Net.Big() && t.segment == 0 && !t.tagged && len(t.buf)-ip < 65536 && o.tucmd&tucmdIP != 0 {
		binary.BigEndian.PutUint16(t.buf[ip+2:], uint16(len(t.buf)-ip))
		netdev.SetIPv4Checksum(t.buf[ip:tcp])
		if !k.c.Net.DeliverBig(t.buf) {
			return false
		}
		k.countTx(t.buf)
		k.count(statTSC)
		return true
	}
	done, all := netdev.Segment(t.buf, ip, tcp, payload, min(mss, len(k.seg)-payload), k.seg[:], t.segment, func(f []byte) bool {
		if k.reg[regRCTL]&rctlLBM != 0 {
			k.Deliver(f)
		} else if !k.c.Net.Deliver(f) {
			return false
		}
		k.countTx(f)
		return true
	})
	t.segment += done
	if all {
		k.count(statTSC)
	}
	return all
}

func (k *Card) countTx(frame []byte) {
	n := len(frame) + 4
	k.count(statGPTC)
	k.count(statTPT)
	k.countLong(statGOTC, uint32(n))
	k.countLong(statTOT, uint32(n))
	k.bySize(statPTC, n)
	switch {
	case netdev.MAC(frame) == netdev.Broadcast:
		k.count(statBPTC)
	case frame[0]&1 != 0:
		k.count(statMPTC)
	}
}

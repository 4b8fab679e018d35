package rtl8139

import (
	"encoding/binary"

	"rhea/internal/netdev"
	"rhea/internal/snap"
)

// Transmit descriptors of C+ mode (§9.1).
const (
	tdOwn   = 1 << 31
	tdEOR   = 1 << 30
	tdFS    = 1 << 29
	tdLS    = 1 << 28
	tdLGSEN = 1 << 27
	tdIPCS  = 1 << 18
	tdUDPCS = 1 << 17
	tdTCPCS = 1 << 16
	tdTAGC  = 1 << 17 // of the second word
)

// maxPacket is how much of one packet is taken.
const maxPacket = 64<<10 + netdev.HeaderLen

// packet is one that is being put together, or waits for the network.
type packet struct {
	buf     []byte
	ready   bool // it waits
	lost    bool
	big     bool   // the network fills in its checksum
	mss     uint16 // of large send, 0 = none
	segment int    // of which so many have gone
	reg     uint8  // of the four, 1 to 4; 0 = C+ mode
}

func (p *packet) state(s *snap.Section) {
	s.Version(1)
	s.VarBytes("buf", &p.buf, maxPacket)
	s.Bool("ready", &p.ready)
	s.Bool("lost", &p.lost)
	s.Bool("big", &p.big)
	s.U16("mss", &p.mss)
	s.Int("segment", &p.segment, 0, maxPacket)
	s.U8("reg", &p.reg)
	s.Check(p.reg <= 4, "transmit register is out of range")
}

func (p *packet) clear() {
	*p = packet{buf: p.buf[:0]}
}

// take appends n bytes of memory to the packet.
func (k *Card) take(addr uint64, n int) {
	p := &k.packet
	from := len(p.buf)
	if from+n > maxPacket {
		p.lost = true
		return
	}
	if cap(p.buf) < from+n {
		grown := make([]byte, from, maxPacket)
		copy(grown, p.buf)
		p.buf = grown
	}
	p.buf = p.buf[:from+n]
	k.fn.DMARead(addr, p.buf[from:])
}

func (k *Card) getTSD(i int) uint32 {
	if k.cpcr&cpTx != 0 && i < 2 {
		return k.dtccr[i]
	}
	return k.tsd[i]
}

// setTSD starts a transmission: software clears OWN and gives the size. The
// first two registers are another one in C+ mode.
func (k *Card) setTSD(i int, v, m uint32) {
	if k.cpcr&cpTx != 0 {
		if i < 2 {
			k.dtccr[i] = k.dtccr[i]&^m | v&m
			if i == 0 {
				k.dumpTally()
			}
		}
		return
	}
	d := k.tsd[i]&^m | v&m
	k.tsd[i] = d & (tsdSize | tsdOwn | 0x3f<<16)
	k.transmit()
}

// transmit sends what there is, as long as the network has room.
func (k *Card) transmit() {
	if k.packet.ready && !k.flush() || k.cr&crTE == 0 || !k.fn.BusMaster() {
		return
	}
	if k.cpcr&cpTx != 0 {
		k.transmitRing(1) // high priority first
		k.transmitRing(0)
		return
	}
	for range 4 {
		i := k.nextTx
		if k.tsd[i]&tsdOwn != 0 {
			return
		}
		k.packet.clear()
		k.take(uint64(k.tsad[i]), int(k.tsd[i]&tsdSize))
		k.packet.ready, k.packet.reg = true, i+1
		k.nextTx = (i + 1) & 3
		if !k.flush() {
			return
		}
	}
}

// transmitRing does the descriptors of a ring, no more than one turn of it.
func (k *Card) transmitRing(which int) {
	base := uint64(k.tsad[2*which+1])<<32 | uint64(k.tsad[2*which]&^0xff)
	if base == 0 || k.packet.ready {
		return
	}
	le := binary.LittleEndian
	sent := false
	for range ringMax {
		at := base + uint64(k.txAt[which])*descLen
		var d [descLen]byte
		k.fn.DMARead(at, d[:])
		w0, w1 := le.Uint32(d[:]), le.Uint32(d[4:])
		if w0&tdOwn == 0 {
			break
		}
		if w0&tdFS != 0 {
			k.packet.clear()
		}
		k.take(le.Uint64(d[8:]), int(w0&0xffff))
		le.PutUint32(d[:], w0&(tdEOR|tdFS|tdLS|0xffff)) // no error, no collision
		k.fn.DMAWrite(at, d[:4])
		k.txAt[which] = after(k.txAt[which], w0)
		sent = true
		if w0&tdLS == 0 {
			continue
		}
		k.finish(w0, w1)
		if !k.flush() {
			return
		}
	}
	if sent {
		k.isr |= isrTDU // nothing more to send
	}
}

// finish does what the last descriptor asks for: a tag, checksums or large
// send.
func (k *Card) finish(w0, w1 uint32) {
	p := &k.packet
	p.ready = true
	if len(p.buf) < netdev.HeaderLen {
		p.lost = true
		return
	}
	if w1&tdTAGC != 0 && len(p.buf)+4 <= maxPacket {
		n := len(p.buf)
		p.buf = append(p.buf, 0, 0, 0, 0)
		copy(p.buf[16:], p.buf[12:n])
		binary.BigEndian.PutUint16(p.buf[12:], netdev.EtherVLAN)
		binary.LittleEndian.PutUint16(p.buf[14:], uint16(w1))
	}
	if w0&tdLGSEN != 0 {
		p.mss = uint16(w0 >> 16 & 0x7ff)
		return
	}
	if w0&(tdIPCS|tdUDPCS|tdTCPCS) == 0 {
		return
	}
	ip, at, end, proto, ok := netdev.IPHeader(p.buf)
	if !ok || p.buf[ip]>>4 != 4 {
		return
	}
	if w0&tdIPCS != 0 {
		netdev.SetIPv4Checksum(p.buf[ip:at])
	}
	t := p.buf[at:end]
	off := -1
	switch {
	case w0&tdTCPCS != 0 && proto == netdev.ProtoTCP && len(t) >= 20:
		off = 16
	case w0&tdUDPCS != 0 && proto == netdev.ProtoUDP && len(t) >= 8:
		off = 6
	}
	if off < 0 {
		return
	}
	if k.c.Net != nil && k.c.Net.Big() {
		p.big = true
		return
	}
	t[off], t[off+1] = 0, 0
	sum := netdev.Fold(netdev.Sum(t, netdev.PseudoSum(p.buf[ip:], proto, len(t))))
	if sum == 0 && off == 6 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(t[off:], sum)
}

// flush gives the packet to the network. It reports false while that has no
// room.
func (k *Card) flush() bool {
	p := &k.packet
	if len(p.buf) >= netdev.HeaderLen && !p.lost && k.c.Net != nil && !k.send() {
		return false
	}
	k.tally[tallyTxOK]++
	if p.reg != 0 {
		k.tsd[p.reg-1] |= tsdOwn | tsdTOK
	}
	k.isr |= isrTOK
	p.clear()
	return true
}

func (k *Card) send() bool {
	p := &k.packet
	switch {
	case p.mss != 0:
		return k.sendLarge()
	case k.tcr&tcrLBK == tcrLBK:
		k.loopback(p.buf)
	case len(p.buf) > netdev.MaxFrame:
		k.c.Env.Log.Guest("rtl8139: a packet of %d bytes is too long for the cable", len(p.buf))
	case p.big:
		return k.c.Net.DeliverBig(p.buf)
	default:
		return k.c.Net.Deliver(p.buf)
	}
	return true
}

// loopback gives a frame to the receiver.
func (k *Card) loopback(frame []byte) {
	was := k.tcr
	k.tcr &^= tcrLBK
	k.Deliver(frame)
	k.tcr = was
}

// sendLarge cuts a packet up, or leaves that to the network.
func (k *Card) sendLarge() bool {
	p := &k.packet
	ip, at := netdev.HeaderLen, 0
	if binary.BigEndian.Uint16(p.buf[12:]) == netdev.EtherVLAN {
		ip += 4
	}
	h := p.buf[min(ip, len(p.buf)):]
	if len(h) >= 20 && h[0]>>4 == 4 && h[9] == netdev.ProtoTCP {
		at = ip + int(h[0]&15)*4
	}
	if at < ip+20 || at+20 > len(p.buf) {
		k.c.Env.Log.Guest("rtl8139: large send of what is no TCP/IP packet")
		return true
	}
	payload := at + int(p.buf[at+12]>>4)*4
	if payload < at+20 || payload > len(p.buf) || payload >= len(k.seg) {
		k.c.Env.Log.Guest("rtl8139: large send of a packet whose header has %d bytes", payload)
		return true
	}
	if k.c.Net.Big() && p.segment == 0 && ip == netdev.HeaderLen && len(p.buf)-ip < 65536 && k.tcr&tcrLBK == 0 {
		binary.BigEndian.PutUint16(p.buf[ip+2:], uint16(len(p.buf)-ip))
		netdev.SetIPv4Checksum(p.buf[ip:at])
		return k.c.Net.DeliverBig(p.buf)
	}
	done, all := netdev.Segment(p.buf, ip, at, payload, min(int(p.mss), len(k.seg)-payload), k.seg[:], p.segment, func(f []byte) bool {
		if k.tcr&tcrLBK == tcrLBK {
			k.loopback(f)
			return true
		}
		return k.c.Net.Deliver(f)
	})
	p.segment += done
	return all
}

// dumpTally writes the counters to memory (§5.34).
func (k *Card) dumpTally() {
	if k.dtccr[0]&dtccrClear != 0 {
		k.tally = [13]uint32{}
	}
	if k.dtccr[0]&dtccrDump != 0 {
		var b [64]byte
		le := binary.LittleEndian
		t := &k.tally
		le.PutUint64(b[0:], uint64(t[tallyTxOK]))
		le.PutUint64(b[8:], uint64(t[tallyRxOK]))
		le.PutUint64(b[16:], uint64(t[tallyTxErr]))
		le.PutUint32(b[24:], t[tallyRxErr])
		le.PutUint16(b[28:], uint16(t[tallyMissed]))
		le.PutUint16(b[30:], uint16(t[tallyAlign]))
		le.PutUint32(b[32:], t[tallyTxOne])
		le.PutUint32(b[36:], t[tallyTxMany])
		le.PutUint64(b[40:], uint64(t[tallyUnicast]))
		le.PutUint64(b[48:], uint64(t[tallyBroadcast]))
		le.PutUint32(b[56:], t[tallyMulticast])
		le.PutUint16(b[60:], uint16(t[tallyAborted]))
		le.PutUint16(b[62:], uint16(t[tallyUnderrun]))
		k.fn.DMAWrite(uint64(k.dtccr[1])<<32|uint64(k.dtccr[0]&^63), b[:])
	}
	k.dtccr[0] &^= dtccrDump | dtccrClear
}

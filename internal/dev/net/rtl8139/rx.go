package rtl8139

import (
	"encoding/binary"
	"hash/crc32"

	"rhea/internal/netdev"
)

// Status of a received packet before it in the receive buffer (§5.9).
const (
	rxsROK = 1 << 0
	rxsBAR = 1 << 13
	rxsPAM = 1 << 14
	rxsMAR = 1 << 15
)

// Receive descriptors of C+ mode (§9.2).
const (
	rdOwn  = 1 << 31
	rdEOR  = 1 << 30
	rdFS   = 1 << 29
	rdLS   = 1 << 28
	rdMAR  = 1 << 27
	rdPAM  = 1 << 26
	rdBAR  = 1 << 25
	rdUDP  = 2 << 17
	rdTCP  = 1 << 17
	rdIP   = 3 << 17
	rdIPF  = 1 << 16
	rdUDPF = 1 << 15
	rdTCPF = 1 << 14
	rdSize = 0x1fff
	rdTAVA = 1 << 16 // of the second word

	descLen = 16
	ringMax = 64 // descriptors
)

// Tally counters (§5.34) by their place in Card.tally.
const (
	tallyTxOK = iota
	tallyRxOK
	tallyTxErr
	tallyRxErr
	tallyMissed
	tallyAlign
	tallyTxOne
	tallyTxMany
	tallyUnicast
	tallyBroadcast
	tallyMulticast
	tallyAborted
	tallyUnderrun
)

func (k *Card) plusRx() bool { return k.cpcr&cpRx != 0 }

// ringSize is the receive buffer's, less what is behind its end.
func (k *Card) ringSize() int { return 8 << 10 << (k.rcr >> 11 & 3) }

// used is how many bytes of the receive buffer hold packets. Software's
// pointer is 16 bytes behind where it reads (§5.11).
func (k *Card) used() int {
	size := k.ringSize()
	return ((int(k.cbr)-int(k.capr)-16)%size + size) % size
}

func (k *Card) empty() bool { return k.used() == 0 }

// Deliver implements netdev.Peer.
func (k *Card) Deliver(frame []byte) bool {
	if k.cr&crRE == 0 || !k.fn.BusMaster() || k.tcr&tcrLBK != 0 {
		return true
	}
	if len(frame) < netdev.MinFrame { // runts do not come by a cable
		k.runt = [netdev.MinFrame]byte{}
		copy(k.runt[:], frame)
		frame = k.runt[:]
	}
	kind, ok := k.wants(frame)
	if !ok {
		return true
	}
	if k.plusRx() {
		ok = k.receivePlus(frame, kind)
	} else {
		ok = k.receive(frame, kind)
	}
	if !ok {
		k.blocked = true
		k.Settle()
		return false
	}
	k.isr |= isrROK
	k.tally[tallyRxOK]++
	k.Settle()
	return true
}

// kinds of destination.
const (
	kindOther = iota
	kindUnicast
	kindMulticast
	kindBroadcast
)

// wants is the address filter (§5.10).
func (k *Card) wants(frame []byte) (kind int, ok bool) {
	switch {
	case netdev.MAC(frame) == netdev.Broadcast:
		kind, ok = kindBroadcast, k.rcr&rcrAB != 0
	case frame[0]&1 != 0:
		n := crc(frame[:6]) >> 26
		kind, ok = kindMulticast, k.rcr&rcrAM != 0 && k.mar[n>>3]&(1<<(n&7)) != 0
	case netdev.MAC(frame) == netdev.MAC(k.idr[:6]):
		kind, ok = kindUnicast, k.rcr&rcrAPM != 0
	}
	return kind, ok || k.rcr&rcrAAP != 0
}

// crc is the CRC of Ethernet with its first bit highest, as the filter takes it.
func crc(b []byte) uint32 {
	c := ^uint32(0)
	for _, x := range b {
		for range 8 {
			top := c>>31 ^ uint32(x&1)
			c = c<<1 ^ 0x04c11db7*top
			x >>= 1
		}
	}
	return c
}

// receive stores a frame in the receive buffer: a header, the frame, its FCS,
// and what is missing to a multiple of four.
func (k *Card) receive(frame []byte, kind int) bool {
	size := k.ringSize()
	need := (4 + len(frame) + 4 + 3) &^ 3
	if need >= size-k.used() {
		return false
	}
	status := uint16(rxsROK)
	switch kind {
	case kindBroadcast:
		status |= rxsBAR
	case kindMulticast:
		status |= rxsMAR
	case kindUnicast:
		status |= rxsPAM
	}
	k.countRx(kind)
	var head, fcs [4]byte
	binary.LittleEndian.PutUint16(head[:], status)
	binary.LittleEndian.PutUint16(head[2:], uint16(len(frame)+4))
	binary.LittleEndian.PutUint32(fcs[:], crc32.ChecksumIEEE(frame))
	at := int(k.cbr) % size
	// WRAP lets a packet go on behind the buffer's end; there is room, but not
	// behind one of 64 KiB.
	straight := k.rcr&rcrWRAP != 0 && size < 64<<10
	for _, p := range [...][]byte{head[:], frame, fcs[:]} {
		for len(p) > 0 {
			n := len(p)
			if !straight {
				n = min(n, size-at)
			}
			k.fn.DMAWrite(uint64(k.rbstart)+uint64(at), p[:n])
			p = p[n:]
			if at += n; at >= size && !straight {
				at -= size
			}
		}
	}
	k.cbr = uint16((int(k.cbr) + need) % size)
	return true
}

func (k *Card) countRx(kind int) {
	switch kind {
	case kindUnicast:
		k.tally[tallyUnicast]++
	case kindBroadcast:
		k.tally[tallyBroadcast]++
	case kindMulticast:
		k.tally[tallyMulticast]++
	}
}

// rxDesc reads a receive descriptor: its place, its first two words and its
// buffer.
func (k *Card) rxDesc(n uint8) (at uint64, w0, w1 uint32, buf uint64) {
	at = uint64(k.rdsar[1])<<32 | uint64(k.rdsar[0]) + uint64(n)*descLen
	var d [descLen]byte
	k.fn.DMARead(at, d[:])
	le := binary.LittleEndian
	return at, le.Uint32(d[:]), le.Uint32(d[4:]), le.Uint64(d[8:])
}

// after is the descriptor behind n, whose first word is w0.
func after(n uint8, w0 uint32) uint8 {
	if n++; w0&rdEOR != 0 || n >= ringMax {
		return 0
	}
	return n
}

// receivePlus stores a frame by descriptors.
func (k *Card) receivePlus(frame []byte, kind int) bool {
	// First see whether there are enough of them.
	total := len(frame) + 4
	room, n := 0, k.rxAt
	for i := 0; room < total; i++ {
		_, w0, _, _ := k.rxDesc(n)
		if w0&rdOwn == 0 {
			return false
		}
		if i >= ringMax {
			k.mpc++
			k.tally[tallyMissed]++
			return true // it never fits
		}
		room += int(w0 & rdSize)
		n = after(n, w0)
	}
	k.countRx(kind)
	status := k.check(frame)
	switch kind {
	case kindBroadcast:
		status |= rdBAR
	case kindMulticast:
		status |= rdMAR
	case kindUnicast:
		status |= rdPAM
	}
	var fcs [4]byte
	binary.LittleEndian.PutUint32(fcs[:], crc32.ChecksumIEEE(frame))
	pieces := [3][]byte{frame, nil, fcs[:]}
	tag := uint32(0)
	if k.cpcr&cpVLAN != 0 && binary.BigEndian.Uint16(frame[12:]) == netdev.EtherVLAN { // the tag goes into the descriptor
		tag = rdTAVA | uint32(binary.LittleEndian.Uint16(frame[14:])) // its bytes as they come
		pieces[0], pieces[1] = frame[:12], frame[16:]
		total -= 4
	}
	first := uint32(rdFS)
	// The frame may be stored over the descriptors: no more than there are.
	for i, p, left := 0, 0, total; left > 0 && i <= ringMax; i++ {
		at, w0, _, buf := k.rxDesc(k.rxAt)
		room := min(int(w0&rdSize), left)
		left -= room
		for room > 0 && p < len(pieces) {
			if len(pieces[p]) == 0 {
				p++
				continue
			}
			m := min(room, len(pieces[p]))
			k.fn.DMAWrite(buf, pieces[p][:m])
			buf += uint64(m)
			pieces[p] = pieces[p][m:]
			room -= m
		}
		v := w0&rdEOR | first | status | uint32(total)&0x3fff
		if left == 0 {
			v |= rdLS
		}
		first = 0
		var d [8]byte
		binary.LittleEndian.PutUint32(d[4:], tag)
		binary.LittleEndian.PutUint32(d[:], v)
		k.fn.DMAWrite(at, d[:])
		k.rxAt = after(k.rxAt, w0)
	}
	return true
}

// check verifies checksums: what the descriptor says of them (§9.2.2).
func (k *Card) check(frame []byte) uint32 {
	ip, at, end, proto, ok := netdev.IPHeader(frame)
	if !ok || k.cpcr&cpCheck == 0 || frame[ip]>>4 != 4 {
		return 0
	}
	v := uint32(rdIP)
	if netdev.Fold(netdev.Sum(frame[ip:at], 0)) != 0 {
		v |= rdIPF
	}
	p := frame[at:end]
	bad := uint32(0)
	switch {
	case proto == netdev.ProtoTCP && len(p) >= 20:
		v, bad = v&^rdIP|rdTCP, rdTCPF
	case proto == netdev.ProtoUDP && len(p) >= 8:
		v, bad = v&^rdIP|rdUDP, rdUDPF
		if p[6]|p[7] == 0 {
			bad = 0
		}
	}
	if bad != 0 && netdev.Fold(netdev.Sum(p, netdev.PseudoSum(frame[ip:], proto, len(p)))) != 0 {
		v |= bad
	}
	return v
}

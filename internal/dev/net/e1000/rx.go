package e1000

import (
	"encoding/binary"
	"hash/crc32"

	"rhea/internal/netdev"
)

// Receive descriptors (§3.2.3): buffer address, length, checksum, status,
// errors, VLAN tag.
const (
	rxdDD    = 1 << 0
	rxdEOP   = 1 << 1
	rxdIXSM  = 1 << 2
	rxdVP    = 1 << 3
	rxdTCPCS = 1 << 5
	rxdIPCS  = 1 << 6
	rxdPIF   = 1 << 7

	rxdTCPE = 1 << 5
	rxdIPE  = 1 << 6

	descLen = 16
)

// Counters (§13.7) by their place in Card.stats.
const (
	statMPC  = 0x10 / 4
	statPRC  = 0x5c / 4 // six of them, by size
	statGPRC = 0x74 / 4
	statBPRC = 0x78 / 4
	statMPRC = 0x7c / 4
	statGPTC = 0x80 / 4
	statGORC = 0x88 / 4 // two words
	statGOTC = 0x90 / 4
	statRNBC = 0xa0 / 4
	statTOR  = 0xc0 / 4
	statTOT  = 0xc8 / 4
	statTPR  = 0xd0 / 4
	statTPT  = 0xd4 / 4
	statPTC  = 0xd8 / 4
	statMPTC = 0xf0 / 4
	statBPTC = 0xf4 / 4
	statTSC  = 0xf8 / 4
)

// count adds to a counter, which stays at its end.
func (k *Card) count(n int) {
	if k.stats[n] != all {
		k.stats[n]++
	}
}

// countLong adds to a counter of two words.
func (k *Card) countLong(n int, v uint32) {
	sum := uint64(k.stats[n+1])<<32 | uint64(k.stats[n])
	if sum+uint64(v) >= sum {
		sum += uint64(v)
	}
	k.stats[n], k.stats[n+1] = uint32(sum), uint32(sum>>32)
}

// bySize counts a frame, of n bytes with its FCS, in one of six counters.
func (k *Card) bySize(first, n int) {
	i := 0
	for _, most := range [...]int{64, 127, 255, 511, 1023} {
		if n > most {
			i++
		}
	}
	k.count(first + i)
}

// ring is a descriptor ring: its length in descriptors, and the next one that
// is the card's.
func (k *Card) ring(lenReg, headReg int) (n, head uint32) {
	n = k.reg[lenReg] / descLen
	if n == 0 {
		return 0, 0
	}
	if head = k.reg[headReg]; head >= n {
		head = 0 // where the counter would wrap
	}
	return n, head
}

// free is how many receive descriptors the card has.
func (k *Card) free() uint32 {
	n, head := k.ring(regRDLEN, regRDH)
	tail := k.reg[regRDT]
	switch {
	case n == 0:
		return 0
	case tail >= n: // software is wrong: the head never meets it
		return n - 1
	case tail >= head:
		return tail - head
	}
	return n - head + tail
}

// bufferSize is RCTL's (§13.4.22).
func (k *Card) bufferSize() int {
	s := k.reg[regRCTL] >> 16 & 3
	if k.reg[regRCTL]&rctlBSEX == 0 {
		return 2048 >> s
	}
	if s == 0 {
		return 2048 // reserved
	}
	return 32768 >> s
}

// Deliver implements netdev.Peer.
func (k *Card) Deliver(frame []byte) bool {
	if k.reg[regRCTL]&rctlEN == 0 || !k.fn.BusMaster() {
		return true
	}
	if len(frame) < netdev.MinFrame { // runts do not come by a cable
		k.runt = [netdev.MinFrame]byte{}
		copy(k.runt[:], frame)
		frame = k.runt[:]
	}
	tagged := binary.BigEndian.Uint16(frame[12:]) == uint16(k.reg[regVET])
	if !k.wants(frame, tagged) {
		return true
	}
	size := k.bufferSize()
	need := uint32((len(frame) + 4 + size - 1) / size)
	if n, _ := k.ring(regRDLEN, regRDH); need >= n && n != 0 {
		k.count(statMPC)
		return true // it never fits
	}
	if need > k.free() {
		k.count(statRNBC)
		k.blocked = true
		return false
	}
	k.receive(frame, tagged, size)
	k.Settle()
	return true
}

// wants is the address filter (§10.1).
func (k *Card) wants(frame []byte, tagged bool) bool {
	rctl := k.reg[regRCTL]
	if tagged && rctl&rctlVFE != 0 {
		id := binary.BigEndian.Uint16(frame[14:]) & 0xfff
		if k.vfta[id>>5]&(1<<(id&31)) == 0 {
			return false
		}
	}
	switch {
	case len(frame) > netdev.MTU+netdev.HeaderLen+4 && rctl&rctlLPE == 0:
		return false
	case rctl&rctlUPE != 0 && frame[0]&1 == 0, rctl&rctlMPE != 0 && frame[0]&1 != 0:
		return true
	case rctl&rctlBAM != 0 && netdev.MAC(frame) == netdev.Broadcast:
		return true
	}
	lo, hi := binary.LittleEndian.Uint32(frame), uint32(binary.LittleEndian.Uint16(frame[4:]))
	for i := 0; i < len(k.ra); i += 2 {
		if k.ra[i+1]&(1<<31) != 0 && k.ra[i] == lo && k.ra[i+1]&0xffff == hi {
			return true
		}
	}
	if frame[0]&1 == 0 {
		return false
	}
	// MO: which twelve of the address's upper bits look up the table.
	shift := [4]uint32{4, 3, 2, 0}[rctl>>12&3]
	n := (uint32(frame[5])<<8 | uint32(frame[4])) >> shift & 0xfff
	return k.mta[n>>5]&(1<<(n&31)) != 0
}

// receive stores a frame, for which there are descriptors.
func (k *Card) receive(frame []byte, tagged bool, size int) {
	k.countRx(frame)
	status, errs, sum := k.check(frame)
	special := uint16(0)
	var fcs [4]byte
	binary.LittleEndian.PutUint32(fcs[:], crc32.ChecksumIEEE(frame))
	pieces := [3][]byte{frame, nil, fcs[:]}
	total := len(frame) + 4
	if tagged && k.reg[regCTRL]&ctrlVME != 0 { // the tag goes into the descriptor
		special = binary.BigEndian.Uint16(frame[14:])
		pieces[0], pieces[1] = frame[:12], frame[16:]
		status |= rxdVP
		total -= 4
	}
	if k.reg[regRCTL]&rctlSECRC != 0 {
		pieces[2] = nil
		total -= 4
	}
	p := 0
	for total > 0 {
		n, head := k.ring(regRDLEN, regRDH)
		if n == 0 {
			return
		}
		at := k.base(regRDBAL) + uint64(head)*descLen
		var d [descLen]byte
		k.fn.DMARead(at, d[:])
		buf := binary.LittleEndian.Uint64(d[:])
		room := size
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
		got := size - room
		total -= got
		binary.LittleEndian.PutUint16(d[8:], uint16(got))
		binary.LittleEndian.PutUint16(d[10:], sum)
		d[12], d[13] = rxdDD|status, 0
		if total <= 0 {
			d[12] |= rxdEOP
			d[13] = errs
		}
		binary.LittleEndian.PutUint16(d[14:], special)
		k.fn.DMAWrite(at+8, d[8:])
		if head++; head == n {
			head = 0
		}
		k.reg[regRDH] = head
	}
	k.received()
}

func (k *Card) countRx(frame []byte) {
	n := len(frame) + 4
	k.count(statGPRC)
	k.count(statTPR)
	k.countLong(statGORC, uint32(n))
	k.countLong(statTOR, uint32(n))
	k.bySize(statPRC, n)
	switch {
	case netdev.MAC(frame) == netdev.Broadcast:
		k.count(statBPRC)
	case frame[0]&1 != 0:
		k.count(statMPRC)
	}
}

// received raises the interrupts of a frame.
func (k *Card) received() {
	// RXDMT0: as few are free as a half, a quarter or an eighth of the ring.
	n, _ := k.ring(regRDLEN, regRDH)
	if part := k.reg[regRCTL] >> 8 & 3; part < 3 && k.free() <= n>>(1+part) {
		k.reg[regICR] |= icrRXDMT0
	}
	if k.reg[regRDTR] == 0 {
		k.reg[regICR] |= icrRXT0
		return
	}
	k.delayed(&k.rxDue, &k.rxLast, k.reg[regRDTR], k.reg[regRADV])
}

func (k *Card) base(low int) uint64 { return uint64(k.reg[low+1])<<32 | uint64(k.reg[low]) }

// check verifies checksums (§3.2.9): what the descriptor says of them, and the
// packet's sum from RXCSUM.PCSS on.
func (k *Card) check(frame []byte) (status, errs uint8, sum uint16) {
	c := k.reg[regRXCSUM]
	if from := int(c & 0xff); from < len(frame) {
		sum = ^netdev.Fold(netdev.Sum(frame[from:], 0))
	}
	if frame[0]&1 != 0 && netdev.MAC(frame) != netdev.Broadcast {
		status |= rxdPIF
	}
	ip, at, end, proto, ok := netdev.IPHeader(frame)
	if !ok || c&(rxcsumIPOFL|rxcsumTUOFL) == 0 {
		return status | rxdIXSM, 0, sum
	}
	if c&rxcsumIPOFL != 0 && frame[ip]>>4 == 4 {
		status |= rxdIPCS
		if netdev.Fold(netdev.Sum(frame[ip:at], 0)) != 0 {
			errs |= rxdIPE
		}
	}
	if c&rxcsumTUOFL == 0 {
		return status, errs, sum
	}
	p := frame[at:end]
	switch {
	case proto == netdev.ProtoTCP && len(p) >= 20:
	case proto == netdev.ProtoUDP && len(p) >= 8 && p[6]|p[7] != 0:
	default:
		return status, errs, sum
	}
	status |= rxdTCPCS
	if netdev.Fold(netdev.Sum(p, netdev.PseudoSum(frame[ip:], proto, len(p)))) != 0 {
		errs |= rxdTCPE
	}
	return status, errs, sum
}

package netdev

import (
	"encoding/binary"
	"math/bits"
)

// Protocol numbers.
const (
	EtherIPv4 = 0x0800
	EtherARP  = 0x0806
	EtherVLAN = 0x8100
	EtherIPv6 = 0x86dd

	ProtoICMP   = 1
	ProtoTCP    = 6
	ProtoUDP    = 17
	ProtoICMPv6 = 58
)

// Sum adds b to a partial Internet checksum (RFC 1071). The result is not
// folded: 32 bits, of which Fold makes the checksum. An odd byte counts as the
// upper half of a word, so only the last piece may have one.
func Sum(b []byte, sum uint32) uint32 {
	// The sum of words does not depend on how many are added at once
	// (RFC 1071, section 2): eight bytes each, with the carries.
	var s, carry uint64
	s = uint64(sum)
	n := 0
	for ; n+32 <= len(b); n += 32 {
		p := b[n : n+32 : n+32]
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(p), 0)
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(p[8:]), carry)
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(p[16:]), carry)
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(p[24:]), carry)
		s, carry = bits.Add64(s, 0, carry)
		s += carry
	}
	for ; n+8 <= len(b); n += 8 {
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b[n:]), 0)
		s += carry
	}
	for ; n+2 <= len(b); n += 2 {
		s, carry = bits.Add64(s, uint64(binary.BigEndian.Uint16(b[n:])), 0)
		s += carry
	}
	if n < len(b) {
		s, carry = bits.Add64(s, uint64(b[n])<<8, 0)
		s += carry
	}
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	return uint32(s)
}

// Fold makes a checksum of a partial sum.
func Fold(sum uint32) uint16 {
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return ^uint16(sum)
}

// Segment cuts a TCP/IP frame into frames whose payload has at most mss bytes
// and calls emit for each. The TCP header is at tcp, the IP header at ip, the
// payload at payload. Lengths, the IPv4 identification, sequence numbers,
// flags and all checksums are set as TCP segmentation offload demands. buf is
// room for a frame; emit's argument is valid until it returns. It stops when
// emit returns false and returns how many it took of the frames from index
// first on; a frame that cannot be cut yields none.
func Segment(frame []byte, ip, tcp, payload, mss int, buf []byte, first int, emit func([]byte) bool) (done int, all bool) {
	if mss <= 0 || ip < HeaderLen || tcp < ip+20 || payload < tcp+20 || payload > len(frame) || payload+mss > len(buf) {
		return 0, true
	}
	v6 := frame[ip]>>4 == 6
	if v6 && tcp < ip+40 {
		return 0, true
	}
	seq := binary.BigEndian.Uint32(frame[tcp+4:])
	id := binary.BigEndian.Uint16(frame[ip+4:])
	flags := frame[tcp+13]
	for k := first; ; k++ {
		from := payload + k*mss
		if from >= len(frame) && k > 0 {
			return done, true
		}
		to := min(from+mss, len(frame))
		n := copy(buf, frame[:payload])
		n += copy(buf[n:], frame[from:to])
		out := buf[:n]
		if v6 {
			binary.BigEndian.PutUint16(out[ip+4:], uint16(n-ip-40))
		} else {
			binary.BigEndian.PutUint16(out[ip+2:], uint16(n-ip))
			binary.BigEndian.PutUint16(out[ip+4:], id+uint16(k))
			SetIPv4Checksum(out[ip:tcp])
		}
		binary.BigEndian.PutUint32(out[tcp+4:], seq+uint32(k*mss))
		if to < len(frame) {
			out[tcp+13] = flags &^ (tcpFIN | tcpPSH)
		}
		if k > 0 {
			out[tcp+13] &^= tcpCWR // RFC 3168: on the first one only
		}
		binary.BigEndian.PutUint16(out[tcp+16:], 0)
		sum := PseudoSum(out[ip:], ProtoTCP, n-tcp)
		binary.BigEndian.PutUint16(out[tcp+16:], Fold(Sum(out[tcp:], sum)))
		if !emit(out) {
			return done, false
		}
		done++
	}
}

// Flags of TCP.
const (
	tcpFIN = 1 << 0
	tcpPSH = 1 << 3
	tcpCWR = 1 << 7
)

// SetIPv4Checksum fills in the checksum of an IPv4 header.
func SetIPv4Checksum(h []byte) {
	binary.BigEndian.PutUint16(h[10:], 0)
	binary.BigEndian.PutUint16(h[10:], Fold(Sum(h, 0)))
}

// PseudoSum is the sum of the pseudo header (RFC 793, RFC 8200) of the IP
// header h for n bytes of a protocol.
func PseudoSum(h []byte, proto uint8, n int) uint32 {
	sum := uint32(proto) + uint32(n)
	if h[0]>>4 == 6 {
		return Sum(h[8:40], sum)
	}
	return Sum(h[12:20], sum)
}

// IPHeader finds the IP header of a frame and what it carries: offsets of
// header and payload, the payload's end (what follows is padding), and its
// protocol. ok is false for anything else, for headers that do not fit the
// frame, and for fragments. IPv6 extension headers are not followed: the
// protocol is the first one's.
func IPHeader(frame []byte) (ip, payload, end int, proto uint8, ok bool) {
	if len(frame) < HeaderLen {
		return
	}
	ip = HeaderLen
	kind := binary.BigEndian.Uint16(frame[12:])
	if kind == EtherVLAN && len(frame) >= HeaderLen+4 {
		kind = binary.BigEndian.Uint16(frame[16:])
		ip += 4
	}
	h := frame[ip:]
	switch {
	case kind == EtherIPv4 && len(h) >= 20 && h[0]>>4 == 4:
		n := int(h[0]&15) * 4
		total := int(binary.BigEndian.Uint16(h[2:]))
		if n < 20 || total < n || total > len(h) || binary.BigEndian.Uint16(h[6:])&0x3fff != 0 {
			return
		}
		return ip, ip + n, ip + total, h[9], true
	case kind == EtherIPv6 && len(h) >= 40 && h[0]>>4 == 6:
		n := int(binary.BigEndian.Uint16(h[4:]))
		if 40+n > len(h) {
			return
		}
		return ip, ip + 40, ip + 40 + n, h[6], true
	}
	return
}

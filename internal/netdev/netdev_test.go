package netdev

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// A ring gives back what was put in, in order, whatever the sizes, and is full
// when it has to be.
func TestRing(t *testing.T) {
	r := NewRing(0)
	rnd := rand.New(rand.NewPCG(1, 1))
	var want [][]byte
	full := 0
	for i := range 20000 {
		if rnd.IntN(3) != 0 {
			f := make([]byte, 1+rnd.IntN(3000))
			if rnd.IntN(50) == 0 {
				f = make([]byte, MaxBig-rnd.IntN(9))
			}
			for j := range f {
				f[j] = byte(i + j)
			}
			ok, _ := r.Put(f, len(f)&1 != 0)
			if ok {
				want = append(want, f)
			} else {
				full++
			}
			continue
		}
		f, big, ok := r.Peek()
		if ok != (len(want) > 0) {
			t.Fatalf("step %d: a frame is there: %v, want %d", i, ok, len(want))
		}
		if !ok {
			continue
		}
		if !bytes.Equal(f, want[0]) || big != (len(f)&1 != 0) {
			t.Fatalf("step %d: got %d bytes, want %d", i, len(f), len(want[0]))
		}
		r.Pop()
		want = want[1:]
	}
	if full == 0 || r.Len() != len(want) {
		t.Errorf("full %d times, %d frames wait, want %d", full, r.Len(), len(want))
	}
}

func TestRingAllocates(t *testing.T) {
	r := NewRing(0)
	f := make([]byte, 1514)
	if n := testing.AllocsPerRun(1000, func() { r.Put(f, false); r.Peek(); r.Pop() }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// sums are slow checksums, word by word.
func slowSum(b []byte) uint16 {
	var s uint32
	for i := 0; i < len(b); i += 2 {
		w := uint32(b[i]) << 8
		if i+1 < len(b) {
			w |= uint32(b[i+1])
		}
		s += w
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

func TestSum(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 2))
	for n := range 300 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rnd.Uint32()) | byte(0xff*(n&1))
		}
		if got, want := Fold(Sum(b, 0)), slowSum(b); got != want {
			t.Fatalf("%d bytes: %#x, want %#x", n, got, want)
		}
		if k := n / 2 &^ 1; Fold(Sum(b[k:], Sum(b[:k], 0))) != slowSum(b) {
			t.Fatalf("%d bytes in two pieces", n)
		}
	}
}

// tcpFrame is a segment with n bytes of payload.
func tcpFrame(v6 bool, n int) (f []byte, ip, tcp, payload int) {
	ip, tcp = HeaderLen, HeaderLen+20
	f = make([]byte, HeaderLen, 100+n)
	if v6 {
		tcp = ip + 40
		binary.BigEndian.PutUint16(f[12:], EtherIPv6)
		f = append(f, make([]byte, 40)...)
		f[ip], f[ip+6], f[ip+7] = 0x60, ProtoTCP, 64
	} else {
		binary.BigEndian.PutUint16(f[12:], EtherIPv4)
		f = append(f, make([]byte, 20)...)
		f[ip], f[ip+8], f[ip+9] = 0x45, 64, ProtoTCP
		binary.BigEndian.PutUint16(f[ip+4:], 100)
	}
	f[ip+15] = 7 // in the source address
	f = append(f, make([]byte, 32)...)
	binary.BigEndian.PutUint32(f[tcp+4:], 1000)
	f[tcp+12], f[tcp+13] = 8<<4, 0x10|tcpPSH|tcpFIN|tcpCWR
	payload = tcp + 32
	for i := range n {
		f = append(f, byte(i))
	}
	return
}

// Segments have the payload in order, headers of their own and right checksums.
func TestSegment(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for _, n := range []int{0, 1, 1448, 1449, 40000} {
			f, ip, tcp, payload := tcpFrame(v6, n)
			var got []byte
			k := 0
			emit := func(s []byte) bool {
				_, at, end, proto, ok := IPHeader(s)
				if !ok || proto != ProtoTCP || at != tcp || end != len(s) {
					t.Fatalf("v6 %v, %d bytes, segment %d: header %d %d of %d, %v", v6, n, k, at, end, len(s), ok)
				}
				if Fold(Sum(s[tcp:], PseudoSum(s[ip:], ProtoTCP, len(s)-tcp))) != 0 || !v6 && Fold(Sum(s[ip:tcp], 0)) != 0 {
					t.Fatalf("v6 %v, %d bytes, segment %d: wrong checksum", v6, n, k)
				}
				if seq := binary.BigEndian.Uint32(s[tcp+4:]); seq != uint32(1000+len(got)) {
					t.Fatalf("segment %d: sequence number %d", k, seq)
				}
				got = append(got, s[payload:]...)
				last := len(got) == n
				if fl := s[tcp+13]; (fl&(tcpFIN|tcpPSH) != 0) != last || (fl&tcpCWR != 0) != (k == 0) {
					t.Errorf("segment %d, the last %v: flags %#x", k, last, fl)
				}
				k++
				return true
			}
			buf := make([]byte, MaxFrame)
			if _, all := Segment(f, ip, tcp, payload, 1428, buf, 0, emit); !all || !bytes.Equal(got, f[payload:]) {
				t.Errorf("v6 %v, %d bytes: %d came", v6, n, len(got))
			}
		}
	}
	// Where there is no room it goes on later.
	f, ip, tcp, payload := tcpFrame(false, 10000)
	var got []byte
	left := 3
	emit := func(s []byte) bool {
		if left == 0 {
			return false
		}
		left--
		got = append(got, s[payload:]...)
		return true
	}
	buf := make([]byte, MaxFrame)
	done, all := Segment(f, ip, tcp, payload, 1448, buf, 0, emit)
	left = 100
	_, all2 := Segment(f, ip, tcp, payload, 1448, buf, done, emit)
	if done != 3 || all || !all2 || !bytes.Equal(got, f[payload:]) {
		t.Errorf("in two turns: %d, %v, %v, %d bytes", done, all, all2, len(got))
	}
}

func TestMAC(t *testing.T) {
	m, err := ParseMAC("52-54:00:12:34:5e")
	if err != nil || m.String() != "52:54:00:12:34:5e" {
		t.Error(m, err)
	}
	for _, s := range []string{"", "1:2:3:4:5", "1:2:3:4:5:6:7", "1:2:3:4:5:100", "01:00:00:00:00:00", "x:2:3:4:5:6"} {
		if m, err := ParseMAC(s); err == nil {
			t.Errorf("%q is %v", s, m)
		}
	}
}

// machine is an event loop with a lock.
type machine struct {
	mu   sync.Mutex
	work chan func()
}

func newMachine(t *testing.T) *machine {
	m := &machine{work: make(chan func(), 10000)}
	go func() {
		for f := range m.work {
			m.mu.Lock()
			f()
			m.mu.Unlock()
		}
	}()
	t.Cleanup(func() { close(m.work) })
	return m
}

func (m *machine) post(f func()) { m.work <- f }

// slowCard refuses every third frame once.
type slowCard struct {
	got     [][]byte
	n       int
	refused bool
	link    bool
	wakes   int
}

func (c *slowCard) Deliver(f []byte) bool {
	if c.n++; c.n%3 == 0 {
		c.refused = true
		return false
	}
	c.got = append(c.got, bytes.Clone(f))
	return true
}
func (c *slowCard) Wake()           { c.wakes++ }
func (c *slowCard) SetLink(up bool) { c.link = up }

// echoBackend sends back what it gets.
type echoBackend struct {
	peer Peer
	room chan struct{}
}

func (b *echoBackend) Attach(p Peer) { b.peer = p }
func (b *echoBackend) Close() error  { return nil }
func (b *echoBackend) Wake() {
	select {
	case b.room <- struct{}{}:
	default:
	}
}
func (b *echoBackend) Deliver(f []byte) bool {
	for !b.peer.Deliver(f) {
		<-b.room
	}
	return true
}

// No frame is lost or comes twice, although both ends are full at times.
func TestLink(t *testing.T) {
	m := newMachine(t)
	b := &echoBackend{room: make(chan struct{}, 1)}
	l := NewLink(m.post, b)
	defer l.Close()
	c := &slowCard{}
	m.mu.Lock()
	l.Attach(c)
	m.mu.Unlock()
	const frames = 1500
	sent := 0
	for deadline := time.Now().Add(5 * time.Minute); ; {
		m.mu.Lock()
		for sent < frames {
			f := make([]byte, 60+sent%1400)
			binary.BigEndian.PutUint32(f, uint32(sent))
			if !l.Deliver(f) {
				break
			}
			sent++
		}
		if c.refused {
			c.refused = false
			l.Ready()
		}
		got := len(c.got)
		m.mu.Unlock()
		if got == frames {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d frames after minutes", got, frames)
		}
		time.Sleep(time.Millisecond)
	}
	for i, f := range c.got {
		if int(binary.BigEndian.Uint32(f)) != i || len(f) != 60+i%1400 {
			t.Fatalf("frame %d is %d of %d bytes", i, binary.BigEndian.Uint32(f), len(f))
		}
	}
	// A pulled cable loses all; a machine that stands gets nothing.
	m.mu.Lock()
	defer m.mu.Unlock()
	l.SetLink(false)
	if c.link || !l.Deliver(make([]byte, 60)) {
		t.Error("the cable is still there")
	}
	l.SetLink(true)
	l.Run(false)
	b.peer.Deliver(make([]byte, 60))
	n := len(c.got)
	m.mu.Unlock()
	time.Sleep(20 * time.Millisecond)
	m.mu.Lock()
	if len(c.got) != n {
		t.Error("a machine that does not run got a frame")
	}
	l.Run(true)
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); {
		m.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
		m.mu.Lock()
		if l.Ready(); len(c.got) > n {
			return
		}
	}
	t.Error("nothing came when the machine went on")
}

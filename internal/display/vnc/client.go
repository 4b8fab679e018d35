package vnc

import (
	"bufio"
	"encoding/binary"
	"errors"
	"image"
	"io"
	"net"
	"sync"
	"time"

	"rhea/internal/audio"
	"rhea/internal/display"
	"rhea/internal/keys"
)

// Messages of clients (RFC 6143, 7.5; rfbproto).
const (
	msgSetFormat     = 0
	msgSetEncodings  = 2
	msgUpdate        = 3
	msgKey           = 4
	msgPointer       = 5
	msgCutText       = 6
	msgQEMU          = 255
	msgPower         = 250
	msgSetSize       = 251
	qemuKey          = 0
	qemuAudio        = 1
	maxEncodings     = 1024
	maxCutText       = 1 << 20
	maxSetSizeScreen = 255
)

// client is one viewer.
type client struct {
	s    *Server
	raw  net.Conn // below TLS: may be closed by whoever holds s.mu
	conn net.Conn
	r    *bufio.Reader
	in   input // the reader's
	ear  ear   // the reader's

	minor     int
	exclusive bool // with admitted: under s.mu
	admitted  bool

	mu      sync.Mutex
	cond    *sync.Cond
	closed  bool
	ready   bool   // initialised: messages may be sent
	out     []byte // small messages that wait
	want    bool   // an update was asked for
	region  display.Region
	resized bool
	format  format
	encs    encodings
	hears   *audio.Queue // whose frames are sent
	sound   []byte       // an audio message that waits

	w *writer // the writer's
}

func newClient(s *Server, conn net.Conn) *client {
	c := &client{s: s, raw: conn, format: native(), ear: ear{as: defaultSound}}
	c.cond = sync.NewCond(&c.mu)
	c.wrap(conn)
	return c
}

// wrap has the client speak through conn.
func (c *client) wrap(conn net.Conn) {
	c.conn = conn
	c.r = bufio.NewReaderSize(conn, 4096)
}

// put sends part of the handshake.
func (c *client) put(b []byte) error {
	_, err := c.conn.Write(b)
	return err
}

// serve runs the client to its end.
func (c *client) serve() {
	if c.handshake() != nil || c.hello() != nil {
		return
	}
	c.conn.SetDeadline(time.Time{})
	c.s.c.Screen.Attach(c)
	c.w = newWriter(c)
	done := make(chan struct{})
	go func() {
		c.write()
		c.conn.Close()
		close(done)
	}()
	c.read()
	c.s.c.Screen.Detach(c)
	c.deafen()
	c.mu.Lock()
	c.closed = true
	c.cond.Broadcast()
	c.mu.Unlock()
	c.conn.Close()
	<-done
	c.in.release(c.s.c.Input)
}

// hello is ServerInit (7.3.2).
func (c *client) hello() error {
	c.s.c.Screen.Refresh()
	var w, h int
	c.s.c.Screen.View(func(s *display.Surface) { w, h = s.Width, s.Height })
	c.mu.Lock()
	c.encs.w, c.encs.h = w, h
	c.mu.Unlock()
	b := binary.BigEndian.AppendUint16(nil, uint16(w))
	b = binary.BigEndian.AppendUint16(b, uint16(h))
	b = native().append(b)
	b = binary.BigEndian.AppendUint32(b, uint32(len(c.s.c.Name)))
	return c.put(append(b, c.s.c.Name...))
}

// Resize implements display.Sink.
func (c *client) Resize(s *display.Surface) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.region.Resize(s.Width, s.Height)
	c.resized = true
	c.cond.Broadcast()
}

// Damage implements display.Sink.
func (c *client) Damage(r image.Rectangle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.region.Add(r)
	if c.want {
		c.cond.Broadcast()
	}
}

// maxOut bounds the small messages that wait for a client.
const maxOut = 4096

// send queues a small message; a client that does not read loses it.
func (c *client) send(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out)+len(b) <= maxOut {
		c.out = append(c.out, b...)
		c.cond.Broadcast()
	}
}

// sendLEDs has a client that wants to know it be told of the lamps.
func (c *client) sendLEDs(v uint8) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.encs.leds {
		c.encs.tellLEDs, c.encs.ledState = true, v
		c.cond.Broadcast()
	}
}

// read takes the client's messages until there are no more.
func (c *client) read() {
	for {
		kind, err := c.r.ReadByte()
		if err != nil {
			return
		}
		if err := c.message(kind); err != nil {
			return
		}
	}
}

// bytes reads n bytes, at most 4096.
func (c *client) bytes(n int) ([]byte, error) {
	b, err := c.r.Peek(n)
	if err != nil {
		return nil, err
	}
	_, err = c.r.Discard(n)
	return b, err
}

func (c *client) message(kind byte) error {
	switch kind {
	case msgSetFormat:
		b, err := c.bytes(19)
		if err != nil {
			return err
		}
		f, err := parseFormat(b[3:])
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.format = f
		c.mu.Unlock()
		return nil
	case msgSetEncodings:
		return c.setEncodings()
	case msgUpdate:
		b, err := c.bytes(9)
		if err != nil {
			return err
		}
		at := func(i int) int { return int(binary.BigEndian.Uint16(b[i:])) }
		c.mu.Lock()
		defer c.mu.Unlock()
		c.want = true
		if b[0] == 0 {
			c.region.Add(image.Rect(at(1), at(3), at(1)+at(5), at(3)+at(7)))
			c.encs.tellSize = c.encs.extendedSize
		}
		c.cond.Broadcast()
		return nil
	case msgKey:
		b, err := c.bytes(7)
		if err != nil {
			return err
		}
		c.symbol(binary.BigEndian.Uint32(b[3:]), b[0] != 0)
		return nil
	case msgPointer:
		b, err := c.bytes(5)
		if err != nil {
			return err
		}
		c.pointer(b[0], int(binary.BigEndian.Uint16(b[1:])), int(binary.BigEndian.Uint16(b[3:])))
		return nil
	case msgCutText:
		b, err := c.bytes(7)
		if err != nil {
			return err
		}
		n := int32(binary.BigEndian.Uint32(b[3:]))
		if n < 0 || n > maxCutText {
			return errors.New("vnc: the cut text is too long")
		}
		// No guest of ours takes it.
		_, err = io.CopyN(io.Discard, c.r, int64(n))
		return err
	case msgPower:
		return c.power()
	case msgSetSize:
		return c.setSize()
	case msgQEMU:
		return c.qemu()
	}
	return errors.New("vnc: unknown message")
}

// setSize refuses: what size the picture has is the guest's business.
func (c *client) setSize() error {
	b, err := c.bytes(7)
	if err != nil {
		return err
	}
	n := int(b[5])
	for range n { // screens
		if _, err := c.bytes(16); err != nil {
			return err
		}
	}
	c.mu.Lock()
	c.encs.refuseSize = c.encs.extendedSize
	c.cond.Broadcast()
	c.mu.Unlock()
	return nil
}

// Codes of the xvp messages (rfbproto, "xvp Server Message", "xvp Client Message").
const (
	xvpVersion  = 1
	xvpFail     = 0
	xvpInit     = 1
	xvpShutdown = 2
	xvpReboot   = 3
	xvpReset    = 4
)

// power does to the machine what the client asks for. A PC has no button for a
// reboot in good order, so that fails, as in QEMU.
func (c *client) power() error {
	b, err := c.bytes(3)
	if err != nil {
		return err
	}
	var do func()
	switch {
	case b[1] != xvpVersion:
	case b[2] == xvpShutdown:
		do = c.s.c.PowerDown
	case b[2] == xvpReset:
		do = c.s.c.Reset
	}
	if do == nil {
		c.send([]byte{msgPower, 0, xvpVersion, xvpFail})
		return nil
	}
	do()
	return nil
}

// qemu is rfbproto's "QEMU Client Message".
func (c *client) qemu() error {
	sub, err := c.bytes(1)
	if err != nil {
		return err
	}
	switch sub[0] {
	case qemuKey:
		b, err := c.bytes(10)
		if err != nil {
			return err
		}
		down, sym, xt := binary.BigEndian.Uint16(b), binary.BigEndian.Uint32(b[2:]), binary.BigEndian.Uint32(b[6:])
		if xt == 0 {
			c.symbol(sym, down != 0)
			return nil
		}
		code := uint16(xt & 0x7f)
		if xt&0x80 != 0 || xt>>8 == 0xe0 {
			code |= 0xe000
		}
		switch {
		case xt == 0xb7, xt == 0x54: // QEMU's number of Print and SysRq
			c.key(keys.Print, sym, down != 0)
		case xt == 0xc6: // and of Pause
			c.key(keys.Pause, sym, down != 0)
		default:
			if k, ok := keys.BySet1(code); ok {
				c.syncLocks(sym, down != 0)
				c.key(k, sym, down != 0)
			}
		}
		return nil
	case qemuAudio:
		return c.audioMessage()
	}
	return errors.New("vnc: unknown message")
}

func (c *client) setEncodings() error {
	b, err := c.bytes(3)
	if err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint16(b[1:]))
	if n > maxEncodings {
		return errors.New("vnc: too many encodings")
	}
	list := make([]int32, n)
	for i := range list {
		b, err := c.bytes(4)
		if err != nil {
			return err
		}
		list[i] = int32(binary.BigEndian.Uint32(b))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.encs.set(list)
	if c.encs.tellPower && c.s.c.Reset != nil && len(c.out) < maxOut {
		c.out = append(c.out, msgPower, 0, xvpVersion, xvpInit)
	}
	c.cond.Broadcast()
	return nil
}

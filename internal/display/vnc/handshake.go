package vnc

import (
	"crypto/des"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"time"
)

// Security types (RFC 6143, 7.1.2; VeNCrypt: rfbproto, "VeNCrypt").
const (
	secNone     = 1
	secVNC      = 2
	secVeNCrypt = 19

	vencX509None = 260
	vencX509VNC  = 261
)

// handshakeTime is how long a client may take to come in.
const handshakeTime = 30 * time.Second

var errAuth = errors.New("vnc: authentication failed")

// handshake is RFC 6143, 7.1 and 7.3.1: it ends when the client is in.
func (c *client) handshake() error {
	c.conn.SetDeadline(time.Now().Add(handshakeTime))
	if err := c.version(); err != nil {
		return err
	}
	if err := c.security(); err != nil {
		return err
	}
	var shared [1]byte
	if _, err := io.ReadFull(c.r, shared[:]); err != nil {
		return err
	}
	if err := c.s.admit(c, shared[0] == 0); err != nil {
		return err
	}
	return nil
}

func (c *client) version() error {
	if err := c.put([]byte("RFB 003.008\n")); err != nil {
		return err
	}
	var b [12]byte
	if _, err := io.ReadFull(c.r, b[:]); err != nil {
		return err
	}
	var major int
	if _, err := fmt.Sscanf(string(b[:]), "RFB %03d.%03d\n", &major, &c.minor); err != nil || major != 3 {
		return fmt.Errorf("vnc: unknown version %q", b[:])
	}
	switch {
	case c.minor >= 8:
		c.minor = 8
	case c.minor != 7: // 3.5 and others mean 3.3 (RFC 6143, 7.1.1)
		c.minor = 3
	}
	return nil
}

func (c *client) security() error {
	kind := byte(secNone)
	switch {
	case c.s.c.TLS != nil:
		kind = secVeNCrypt
	case c.s.c.Auth:
		kind = secVNC
	}
	if c.minor == 3 {
		if kind == secVeNCrypt {
			c.put(binary.BigEndian.AppendUint32(nil, 0))
			c.reason("the server demands TLS")
			return errors.New("vnc: a 3.3 client cannot have TLS")
		}
		if err := c.put(binary.BigEndian.AppendUint32(nil, uint32(kind))); err != nil {
			return err
		}
	} else {
		if err := c.put([]byte{1, kind}); err != nil {
			return err
		}
		var b [1]byte
		if _, err := io.ReadFull(c.r, b[:]); err != nil {
			return err
		}
		if b[0] != kind {
			return c.result(errors.New("that security type was not offered"))
		}
	}
	switch kind {
	case secVNC:
		return c.result(c.challenge())
	case secVeNCrypt:
		return c.vencrypt()
	}
	if c.minor < 8 {
		return nil // there is no result of None (7.2.1)
	}
	return c.result(nil)
}

// result is the SecurityResult message.
func (c *client) result(err error) error {
	if err == nil {
		return c.put(make([]byte, 4))
	}
	c.put(binary.BigEndian.AppendUint32(nil, 1))
	if c.minor >= 8 {
		c.reason(err.Error())
	}
	return err
}

func (c *client) reason(s string) {
	c.put(append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...))
}

// challenge is VNC authentication (7.2.2): the client encrypts 16 bytes with
// the password.
func (c *client) challenge() error {
	var ask, answer [16]byte
	rand.Read(ask[:])
	if err := c.put(ask[:]); err != nil {
		return err
	}
	if _, err := io.ReadFull(c.r, answer[:]); err != nil {
		return err
	}
	c.s.mu.Lock()
	password := c.s.password
	c.s.mu.Unlock()
	want := encrypt(password, ask)
	if subtle.ConstantTimeCompare(want[:], answer[:]) != 1 || password == "" {
		return errAuth
	}
	return nil
}

// encrypt is DES in ECB mode; the bits of the password's bytes are mirrored.
func encrypt(password string, b [16]byte) (out [16]byte) {
	var key [8]byte
	copy(key[:], password)
	for i := range key {
		key[i] = bits.Reverse8(key[i])
	}
	d, err := des.NewCipher(key[:])
	if err != nil {
		panic("BUG: vnc: " + err.Error())
	}
	d.Encrypt(out[:8], b[:8])
	d.Encrypt(out[8:], b[8:])
	return out
}

// vencrypt is version 0.2 of VeNCrypt.
func (c *client) vencrypt() error {
	if err := c.put([]byte{0, 2}); err != nil {
		return err
	}
	var v [2]byte
	if _, err := io.ReadFull(c.r, v[:]); err != nil {
		return err
	}
	if v != [2]byte{0, 2} {
		c.put([]byte{1})
		return errors.New("vnc: unknown version of VeNCrypt")
	}
	kind := uint32(vencX509None)
	if c.s.c.Auth {
		kind = vencX509VNC
	}
	if err := c.put(binary.BigEndian.AppendUint32([]byte{0, 1}, kind)); err != nil {
		return err
	}
	var b [4]byte
	if _, err := io.ReadFull(c.r, b[:]); err != nil {
		return err
	}
	if binary.BigEndian.Uint32(b[:]) != kind {
		c.put([]byte{0})
		return errors.New("vnc: that VeNCrypt type was not offered")
	}
	if err := c.put([]byte{1}); err != nil {
		return err
	}
	if c.r.Buffered() > 0 {
		return errors.New("vnc: data before TLS")
	}
	t := tls.Server(c.conn, c.s.c.TLS)
	if err := t.Handshake(); err != nil {
		return err
	}
	c.wrap(t)
	if kind == vencX509VNC {
		return c.result(c.challenge())
	}
	if c.minor < 8 {
		return nil
	}
	return c.result(nil)
}

package vnc

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// certificate signs itself.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"rhea"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestVeNCrypt(t *testing.T) {
	cert := certificate(t)
	for _, auth := range []bool{false, true} {
		r := newRig(40, 30, func(c *Config) {
			c.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
			c.Auth = auth
		})
		r.s.SetPassword("secret")
		v := r.raw(t)
		v.read(12)
		v.send([]byte("RFB 003.008\n"))
		if b := v.read(2); b[1] != secVeNCrypt {
			t.Fatalf("security types %v", b)
		}
		v.send(byte(secVeNCrypt))
		v.read(2)
		v.send([]byte{0, 2})
		if b := v.read(2); b[0] != 0 || b[1] != 1 {
			t.Fatalf("%v", b)
		}
		want := vencX509None
		if auth {
			want = vencX509VNC
		}
		if kind := v.u32(); kind != want {
			t.Fatalf("type %d, want %d", kind, want)
		}
		v.send(uint32(want))
		if v.u8() != 1 {
			t.Fatal("refused")
		}
		c := tls.Client(v.Conn, &tls.Config{InsecureSkipVerify: true})
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		v.Conn, v.r = c, bufio.NewReader(c)
		if auth {
			var ask [16]byte
			copy(ask[:], v.read(16))
			v.send(encrypt("secret", ask))
		}
		if v.u32() != 0 {
			t.Fatal("refused")
		}
		v.send(byte(1))
		v.init()
		paintings(r.pic, mrand.New(mrand.NewPCG(1, 1)), 4)
		r.s.c.Screen.Refresh()
		v.update(false)
		v.shows(t, r.pic)
	}
	// Without TLS nobody comes in.
	r := newRig(8, 8, func(c *Config) { c.TLS = &tls.Config{Certificates: []tls.Certificate{cert}} })
	v := r.raw(t)
	v.read(12)
	v.send([]byte("RFB 003.003\n"))
	if v.u32() != 0 {
		t.Error("a 3.3 client was let in")
	}
	v = r.raw(t)
	v.read(12)
	v.send([]byte("RFB 003.008\n"))
	v.read(2)
	v.send(byte(secNone))
	if v.u32() == 0 {
		t.Error("a client chose what was not offered")
	}
}

func TestWebSocket(t *testing.T) {
	r := newRig(40, 30, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go r.s.ServeWeb(l)
	defer r.s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+l.Addr().String()+"/any", &websocket.DialOptions{Subprotocols: []string{"binary"}})
	if err != nil {
		t.Fatal(err)
	}
	if ws.Subprotocol() != "binary" {
		t.Errorf("subprotocol %q", ws.Subprotocol())
	}
	c := websocket.NetConn(ctx, ws, websocket.MessageBinary)
	defer c.Close()
	if _, err := c.Write([]byte("RFB 003.008\n")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 12)
	if _, err := c.Read(b); err != nil || !bytes.HasPrefix(b, []byte("RFB 003.008")) {
		t.Fatalf("%q, %v", b, err)
	}
	// A frame that is too long ends the connection, not the server.
	ws.Write(ctx, websocket.MessageBinary, make([]byte, maxFrame+1))
	for n := 0; ; n++ {
		if _, err := c.Read(make([]byte, 1<<20)); err != nil {
			break
		} else if n == 10 {
			t.Fatal("a frame without bounds was taken")
		}
	}
}

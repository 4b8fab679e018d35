package tap

import (
	"bytes"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

type sink chan []byte

func (s sink) Deliver(f []byte) bool {
	select {
	case s <- bytes.Clone(f):
	default:
	}
	return true
}

// A frame sent by a packet socket on the interface comes out of it, and one
// given to it is seen by the host.
func TestInterface(t *testing.T) {
	n, err := New(Config{FD: -1})
	if err != nil {
		t.Skipf("no TAP interface can be made here: %v", err)
	}
	defer n.Close()
	s := make(sink, 100)
	n.Attach(s)
	ifi, err := net.InterfaceByName(n.name)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0x0300) // ETH_P_ALL
	if err != nil {
		t.Skip(err)
	}
	defer unix.Close(fd)
	req, _ := unix.NewIfreq(n.name)
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, req); err != nil {
		t.Skip(err)
	}
	req.SetUint16(req.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req); err != nil {
		t.Skip(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: 0x0300, Ifindex: ifi.Index}); err != nil {
		t.Skip(err)
	}
	f := bytes.Repeat([]byte{0xff}, 60)
	f[12], f[13] = 0x88, 0xb5 // an EtherType for experiments
	if _, err := unix.Write(fd, f); err != nil {
		t.Skip(err)
	}
	for {
		select {
		case got := <-s:
			if bytes.Equal(got, f) { // others may be the host's own
				goto back
			}
			continue
		case <-time.After(5 * time.Minute):
			t.Fatal("the frame did not come")
		}
	}
back:
	f[20] = 7
	if !n.Deliver(f) {
		t.Fatal("the interface does not take the frame")
	}
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 300})
	b := make([]byte, 2000)
	for {
		k, err := unix.Read(fd, b)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(b[:k], f) {
			return
		}
	}
}

func TestErrors(t *testing.T) {
	if n, err := New(Config{FD: -1, Name: "a name that is too long"}); err == nil {
		n.Close()
		t.Error("a bad name is taken")
	}
	if n, err := New(Config{FD: -1, Script: "/nonexistent"}); err == nil {
		n.Close()
		t.Error("a script that is not there has run")
	}
}

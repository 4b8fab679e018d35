package tap

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"

	"golang.org/x/sys/unix"

	"rhea/internal/netdev"
)

// Network is the host's end.
type Network struct {
	c    Config
	f    *os.File
	name string
	peer netdev.Peer
	room chan struct{}
	done chan struct{}
	once sync.Once
}

// New opens the interface (Linux, Documentation/networking/tuntap.rst).
func New(c Config) (*Network, error) {
	n := &Network{c: c, name: c.Name, room: make(chan struct{}, 1), done: make(chan struct{})}
	fd := c.FD
	if fd < 0 {
		var err error
		if fd, err = n.open(); err != nil {
			return nil, err
		}
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("fd %d cannot be used: %w", fd, err)
	}
	n.f = os.NewFile(uintptr(fd), "tap")
	if err := n.script(c.Script); err != nil {
		n.f.Close()
		return nil, err
	}
	return n, nil
}

func (n *Network) open() (int, error) {
	const node = "/dev/net/tun"
	fd, err := unix.Open(node, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("could not open %s: %w", node, err)
	}
	req, err := unix.NewIfreq(n.c.Name)
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("'%s' is not the name of an interface", n.c.Name)
	}
	req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		unix.Close(fd)
		mend := ""
		if errors.Is(err, unix.EPERM) {
			mend = "; root can make one for you: ip tuntap add mode tap user $USER name tap0"
		}
		return -1, fmt.Errorf("could not open the interface '%s': %w%s", n.c.Name, err, mend)
	}
	n.name = req.Name()
	return fd, nil
}

func (n *Network) script(name string) error {
	if name == "" {
		return nil
	}
	cmd := exec.Command(name, n.name)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the script '%s' failed: %w", name, err)
	}
	return nil
}

// Attach implements netdev.Backend.
func (n *Network) Attach(p netdev.Peer) {
	n.peer = p
	go n.receive()
}

func (n *Network) receive() {
	buf := make([]byte, netdev.MaxBig)
	for {
		k, err := n.f.Read(buf)
		if err != nil {
			return
		}
		for !n.peer.Deliver(buf[:k]) {
			select {
			case <-n.room:
			case <-n.done:
				return
			}
		}
	}
}

// Wake implements netdev.Waker.
func (n *Network) Wake() {
	select {
	case n.room <- struct{}{}:
	default:
	}
}

// Deliver implements netdev.Backend.
func (n *Network) Deliver(frame []byte) bool {
	_, err := n.f.Write(frame)
	return err == nil
}

// Describe implements netdev.Describer.
func (n *Network) Describe() string {
	if n.c.FD >= 0 {
		return fmt.Sprintf("fd=%d", n.c.FD)
	}
	show := func(s string) string {
		if s == "" {
			return "no"
		}
		return s
	}
	return fmt.Sprintf("ifname=%s,script=%s,downscript=%s", n.name, show(n.c.Script), show(n.c.DownScript))
}

// Close implements netdev.Backend.
func (n *Network) Close() error {
	var err error
	n.once.Do(func() {
		close(n.done)
		err = errors.Join(n.script(n.c.DownScript), n.f.Close())
	})
	return err
}

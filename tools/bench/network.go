package main

import (
	"fmt"
	"io"
	"net"
)

// netCard is a card whose throughput is measured, and how many MiB take about
// a second.
type netCard struct {
	model string
	mib   int
}

func netCards() []netCard { return []netCard{{"e1000", 64}, {"ne2k_pci", 16}} }

// netSteps sends from guest to host and back through a card. The ports are the
// host's.
func netSteps(c netCard, sink, source int) []step {
	size := fmt.Sprintf("%d MiB", c.mib)
	// QEMU's NE2000 drops what comes while its buffer is full, and then TCP
	// waits: the window is kept below that buffer.
	window := ""
	if c.model == "ne2k_pci" {
		window = "; echo 4096 12288 12288 >/proc/sys/net/ipv4/tcp_rmem"
	}
	return []step{
		{name: c.model + "-out", label: "network, " + c.model + ": " + size + " from guest to host", kind: device, guestOnly: true,
			setup: fmt.Sprintf("%s; head -c %d /tmp/64m >/tmp/send; ifconfig lo 127.0.0.1 up; udhcpc -i eth0 -q -n -s /etc/udhcpc/default.script%s", make64M, c.mib<<20, window),
			do:    fmt.Sprintf("nc 10.0.2.2 %d </tmp/send", sink)},
		// nc ends with its input, so that is one that does not end.
		{name: c.model + "-in", label: "network, " + c.model + ": " + size + " from host to guest", kind: device, guestOnly: true,
			do: fmt.Sprintf("nc 10.0.2.2 %d </dev/ttyS0 | wc -c", source)},
	}
}

func netRows() (rows []row) {
	for _, c := range netCards() {
		rows = append(rows, rowsOf(netSteps(c, 0, 0))...)
	}
	return rows
}

// runNet measures the cards, each in a guest of its own.
func runNet(b *bench, e emulator) (map[string]outcome, error) {
	all := map[string]outcome{}
	for _, c := range netCards() {
		received := make(chan int64, 1)
		sink, err := listen(func(c net.Conn) {
			n, _ := io.Copy(io.Discard, c)
			received <- n
		})
		if err != nil {
			return nil, err
		}
		defer sink.Close()
		source, err := listen(func(conn net.Conn) { conn.Write(make([]byte, c.mib<<20)) })
		if err != nil {
			return nil, err
		}
		defer source.Close()
		port := func(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }
		got, err := runSteps(384, netSteps(c, port(sink), port(source)), smallTree, []string{"-netdev", "user,id=n", "-device", c.model + ",netdev=n"})(b, e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.model, err)
		}
		if n := <-received; n != int64(c.mib<<20) {
			return nil, fmt.Errorf("%s: the host got %d bytes", c.model, n)
		}
		for name, o := range got {
			all[name] = o
		}
	}
	return all, nil
}

// listen serves each connection and closes it then.
func listen(serve func(net.Conn)) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				serve(c)
				c.Close()
			}()
		}
	}()
	return l, nil
}

package uart16550

import (
	"rhea/internal/chardev"
	"rhea/internal/snap"
)

// writeTHR takes a byte to send.
func (u *UART) writeTHR(v uint8) {
	u.threInt = false
	if u.tx.n >= u.size() {
		// The guest did not look at LSR: the byte in THR is lost, as is one
		// too many for the FIFO.
		u.c.Env.Log.Guest("uart16550: transmit overrun")
		if u.fifos() {
			return
		}
		u.tx.pop()
	}
	u.tx.push(v, 0)
}

// transmit sends what can be sent now.
func (u *UART) transmit() {
	now := u.c.Env.Clock.Now()
	for {
		if u.sentAt != 0 {
			if now < u.sentAt {
				u.txTimer.Set(u.sentAt)
				return
			}
			u.sentAt = 0
		}
		if u.tx.n == 0 {
			return
		}
		loop := u.mcr&mcrLoop != 0
		if t, ok := u.c.Port.(chardev.Throttler); ok && !loop && t.Room() <= 0 {
			u.hold(t)
			return
		}
		b := u.tx.pop()
		if u.c.Paced {
			u.sentAt = now + u.charTime()
		}
		switch {
		case loop:
			u.receive(b, 0)
		case u.c.Port != nil:
			u.out[0] = b
			// The port has no room for what it drops, and its own way of
			// saying so: the line has no answer to that.
			_, _ = u.c.Port.Write(u.out[:])
		}
		if u.tx.n == 0 {
			u.threInt = true
		}
	}
}

// hold waits for the port to have room.
func (u *UART) hold(t chardev.Throttler) {
	if !u.held {
		u.held = true
		t.WhenRoom(func() {
			u.held = false
			u.Settle()
		})
	}
}

// Settle implements dev.Settler.
func (u *UART) Settle() {
	now := u.c.Env.Clock.Now()
	u.transmit()
	if u.timeoutAt != 0 {
		if now >= u.timeoutAt {
			u.timeout, u.timeoutAt = true, 0
		} else {
			u.rxTimer.Set(u.timeoutAt)
		}
	}
	if u.serial != nil && u.ier&ierEDSSI != 0 && u.mcr&mcrLoop == 0 {
		if at, set := u.msTimer.Deadline(); !set || at <= now {
			u.pollModem()
			u.msTimer.Set(now + modemPoll)
		}
	}
	u.drive()
}

func (u *UART) drive() {
	on := u.iir()&iirNone == 0
	if u.c.OUT2Gate && u.mcr&mcrOUT2 == 0 {
		on = false
	}
	u.c.IRQ.Set(on)
}

// setParams tells a real line its speed and format.
func (u *UART) setParams() {
	if u.serial == nil {
		return
	}
	parity := byte('N')
	if u.lcr&lcrPEN != 0 {
		parity = "OEMS"[u.lcr>>4&3] // odd, even, mark, space: bits EPS and stick
	}
	stop := 1
	if u.lcr&lcrSTB != 0 {
		stop = 2
	}
	u.serial.SetParams(u.c.Clock16/int(max(u.dl, 1)), 5+int(u.lcr&3), stop, parity)
}

// State implements dev.Device.
func (u *UART) State(s *snap.Section) {
	s.Version(1)
	s.U8("rbr", &u.rbr)
	s.U8("ier", &u.ier)
	s.U8("fcr", &u.fcr)
	s.U8("lcr", &u.lcr)
	s.U8("mcr", &u.mcr)
	s.U8("lsr", &u.lsr)
	s.U8("msr", &u.msr)
	s.U8("scr", &u.scr)
	s.U16("dl", &u.dl)
	s.Sub("rx", u.rx.state)
	s.Sub("tx", u.tx.state)
	s.Bool("thre_int", &u.threInt)
	s.Bool("timeout", &u.timeout)
	s.I64("timeout_at", &u.timeoutAt)
	s.I64("sent_at", &u.sentAt)
	const limit = 1 << 60
	s.Check(u.ier < 16 && u.mcr < 32 && u.lsr&^lsrErrs == 0, "a register is out of range")
	s.Check(u.timeoutAt >= 0 && u.timeoutAt <= limit && u.sentAt >= 0 && u.sentAt <= limit, "a time is out of range")
	s.Check(u.fcr&fcrEnable != 0 || u.rx.n <= 1 && u.tx.n <= 1, "a FIFO that is off holds bytes")
	if s.Loading() && s.Err() == nil && u.serial != nil {
		u.setParams()
	}
}

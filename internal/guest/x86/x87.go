package x86

import "rhea/internal/guest"

const x87Map = ``

func addX87Emitters(m map[string]emitter) {}

func (c *CPU) x87Helpers(h []guest.Helper) {}

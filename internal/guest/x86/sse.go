package x86

import "rhea/internal/guest"

const sseMap = ``

func addSSEEmitters(m map[string]emitter) {}

func (c *CPU) sseHelpers(h []guest.Helper) {}

package x86

// mmxMap is MMX and what SSE and SSE2 add to it (SDM vol. 2; see table.go for
// the notation).
const mmxMap = `
np 0F 60 : PUNPCKLBW Pq,Qd ; mmx
np 0F 61 : PUNPCKLWD Pq,Qd ; mmx
np 0F 62 : PUNPCKLDQ Pq,Qd ; mmx
np 0F 63 : PACKSSWB Pq,Qq ; mmx
np 0F 64 : PCMPGTB Pq,Qq ; mmx
np 0F 65 : PCMPGTW Pq,Qq ; mmx
np 0F 66 : PCMPGTD Pq,Qq ; mmx
np 0F 67 : PACKUSWB Pq,Qq ; mmx
np 0F 68 : PUNPCKHBW Pq,Qq ; mmx
np 0F 69 : PUNPCKHWD Pq,Qq ; mmx
np 0F 6A : PUNPCKHDQ Pq,Qq ; mmx
np 0F 6B : PACKSSDW Pq,Qq ; mmx
np 0F 6E : MOVD Pq,Ey ; mmx
np 0F 6F : MOVQ Pq,Qq ; mmx
np 0F 70 : PSHUFW Pq,Qq,Ib ; sse
np 0F 71 /2 r : PSRLW Nq,Ib ; mmx
np 0F 71 /4 r : PSRAW Nq,Ib ; mmx
np 0F 71 /6 r : PSLLW Nq,Ib ; mmx
np 0F 72 /2 r : PSRLD Nq,Ib ; mmx
np 0F 72 /4 r : PSRAD Nq,Ib ; mmx
np 0F 72 /6 r : PSLLD Nq,Ib ; mmx
np 0F 73 /2 r : PSRLQ Nq,Ib ; mmx
np 0F 73 /6 r : PSLLQ Nq,Ib ; mmx
np 0F 74 : PCMPEQB Pq,Qq ; mmx
np 0F 75 : PCMPEQW Pq,Qq ; mmx
np 0F 76 : PCMPEQD Pq,Qq ; mmx
np 0F 77 : EMMS ; mmx
np 0F 7E : MOVD Ey,Pq ; mmx
np 0F 7F : MOVQ Qq,Pq ; mmx
np 0F C4 : PINSRW Pq,Ew,Ib ; sse
np 0F C5 : PEXTRW Gd,Nq,Ib ; sse
np 0F D1 : PSRLW Pq,Qq ; mmx
np 0F D2 : PSRLD Pq,Qq ; mmx
np 0F D3 : PSRLQ Pq,Qq ; mmx
np 0F D4 : PADDQ Pq,Qq ; sse2
np 0F D5 : PMULLW Pq,Qq ; mmx
np 0F D7 : PMOVMSKB Gd,Nq ; sse
np 0F D8 : PSUBUSB Pq,Qq ; mmx
np 0F D9 : PSUBUSW Pq,Qq ; mmx
np 0F DA : PMINUB Pq,Qq ; sse
np 0F DB : PAND Pq,Qq ; mmx
np 0F DC : PADDUSB Pq,Qq ; mmx
np 0F DD : PADDUSW Pq,Qq ; mmx
np 0F DE : PMAXUB Pq,Qq ; sse
np 0F DF : PANDN Pq,Qq ; mmx
np 0F E0 : PAVGB Pq,Qq ; sse
np 0F E1 : PSRAW Pq,Qq ; mmx
np 0F E2 : PSRAD Pq,Qq ; mmx
np 0F E3 : PAVGW Pq,Qq ; sse
np 0F E4 : PMULHUW Pq,Qq ; sse
np 0F E5 : PMULHW Pq,Qq ; mmx
np 0F E7 : MOVNTQ Mq,Pq ; sse
np 0F E8 : PSUBSB Pq,Qq ; mmx
np 0F E9 : PSUBSW Pq,Qq ; mmx
np 0F EA : PMINSW Pq,Qq ; sse
np 0F EB : POR Pq,Qq ; mmx
np 0F EC : PADDSB Pq,Qq ; mmx
np 0F ED : PADDSW Pq,Qq ; mmx
np 0F EE : PMAXSW Pq,Qq ; sse
np 0F EF : PXOR Pq,Qq ; mmx
np 0F F1 : PSLLW Pq,Qq ; mmx
np 0F F2 : PSLLD Pq,Qq ; mmx
np 0F F3 : PSLLQ Pq,Qq ; mmx
np 0F F4 : PMULUDQ Pq,Qq ; sse2
np 0F F5 : PMADDWD Pq,Qq ; mmx
np 0F F6 : PSADBW Pq,Qq ; sse
np 0F F7 : MASKMOVQ Pq,Nq ; sse
np 0F F8 : PSUBB Pq,Qq ; mmx
np 0F F9 : PSUBW Pq,Qq ; mmx
np 0F FA : PSUBD Pq,Qq ; mmx
np 0F FB : PSUBQ Pq,Qq ; sse2
np 0F FC : PADDB Pq,Qq ; mmx
np 0F FD : PADDW Pq,Qq ; mmx
np 0F FE : PADDD Pq,Qq ; mmx
`

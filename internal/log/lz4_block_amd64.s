#include "textflag.h"

// func lz4Run(dst *byte, di, most, least int, src *byte, si, stop int) (dnext, snext int)
//
// SI, DI: the sequence at hand. R8, R9: where sources and output end. R10: what matches may not lie before.
// A length of 15 goes on in the next byte: that is added without a branch, which would be foretold wrong at every other sequence.
TEXT ·lz4Run(SB), NOSPLIT, $0-72
	MOVQ dst+0(FP), DX
	MOVQ di+8(FP), DI
	ADDQ DX, DI
	MOVQ most+16(FP), R9
	ADDQ DX, R9
	MOVQ least+24(FP), R10
	ADDQ DX, R10
	MOVQ src+32(FP), DX
	MOVQ si+40(FP), SI
	ADDQ DX, SI
	MOVQ stop+48(FP), R8
	ADDQ DX, R8

sequence:
	CMPQ    SI, R8
	JAE     done
	CMPQ    DI, R9
	JAE     done
	MOVBLZX (SI), AX
	MOVBLZX 1(SI), DX
	MOVL    AX, CX
	SHRL    $4, CX
	XORL    BX, BX
	CMPL    CX, $15
	SETEQ   BX
	MOVL    BX, R11
	NEGL    R11
	ANDL    DX, R11
	CMPL    R11, $255 // and on in further bytes
	JEQ     done
	ADDL    R11, CX   // literals

	LEAQ    1(SI)(BX*1), R12
	VMOVDQU (R12), Y0
	VMOVDQU 32(R12), Y1
	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	CMPQ    CX, $64
	JA      literals

match:
	ADDQ    CX, R12
	LEAQ    (DI)(CX*1), R13
	MOVWLZX (R12), DX // how far back
	MOVBLZX 2(R12), BX
	ANDL    $15, AX
	XORL    R11, R11
	CMPL    AX, $15
	SETEQ   R11
	MOVL    R11, CX
	NEGL    CX
	ANDL    BX, CX
	CMPL    CX, $255
	JEQ     done
	LEAQ    4(AX)(CX*1), AX
	CMPL    DX, $16 // what is copied would not be there yet
	JB      done
	MOVQ    R13, BX
	SUBQ    DX, BX
	CMPQ    BX, R10
	JB      done
	LEAQ    2(R12)(R11*1), SI
	LEAQ    (R13)(AX*1), DI
	VMOVDQU (BX), X0
	VMOVDQU X0, (R13)
	VMOVDQU 16(BX), X1
	VMOVDQU X1, 16(R13)
	VMOVDQU 32(BX), X2
	VMOVDQU X2, 32(R13)
	VMOVDQU 48(BX), X3
	VMOVDQU X3, 48(R13)
	CMPQ    AX, $64
	JBE     sequence
	MOVL    $64, CX

longer:
	VMOVDQU (BX)(CX*1), X0
	VMOVDQU X0, (R13)(CX*1)
	ADDQ    $16, CX
	CMPQ    CX, AX
	JB      longer
	JMP     sequence

literals:
	MOVL $64, R13

more:
	VMOVDQU (R12)(R13*1), Y0
	VMOVDQU Y0, (DI)(R13*1)
	ADDQ    $32, R13
	CMPQ    R13, CX
	JB      more
	JMP     match

done:
	VZEROUPPER
	SUBQ dst+0(FP), DI
	MOVQ DI, dnext+56(FP)
	SUBQ src+32(FP), SI
	MOVQ SI, snext+64(FP)
	RET

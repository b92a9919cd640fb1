/** The command line of the embedded kernel for PCs: line editing, and the short commands. */
import { shellConstants } from '../embedded/commands.ts';

export const text: string = String.raw`${shellConstants}
shell:
        lea     rdi, [rip + prompt]
        call    printf
        call    read_line
        lea     rbx, [rip + input_line]
.Lblank:
        movzx   eax, byte ptr [rbx]     # skip blanks
        inc     rbx
        cmp     eax, ' '
        je      .Lblank
        dec     rbx
        test    eax, eax
        jz      shell
        mov     rbp, rbx                # cut the word off
.Lword: movzx   eax, byte ptr [rbp]
        test    eax, eax
        jz      .Lcut
        inc     rbp
        cmp     eax, ' '
        jne     .Lword
        mov     byte ptr [rbp - 1], 0
.Lcut:  lea     r12, [rip + commands]
        mov     r13, r12
.Llook: cmp     dword ptr [r13 + COMMAND_ENTRY], 0
        je      .Lnot_found
        movsxd  rsi, dword ptr [r13 + COMMAND_NAME]
        add     rsi, r12
        mov     rdi, rbx
        call    strcmp
        test    eax, eax
        jz      .Lrun
        add     r13, COMMAND_SIZE
        jmp     .Llook
.Lnot_found:
        lea     rdi, [rip + unknown_command]
        mov     rsi, rbx
        call    printf
        jmp     shell
.Lrun:  movsxd  rax, dword ptr [r13 + COMMAND_ENTRY]
        add     rax, r12
        mov     rdi, rbp                # the rest of the line
        call    rax
        jmp     shell

        # Reads a line into the buffer, echoing it: backspace, control U (whole line), control C (give up), CR, LF or CR LF.
read_line:
        push    rbx
        push    rbp
        lea     rbx, [rip + input_line]
        mov     rbp, rbx
.Lkey:  call    getchar
        mov     rcx, [rip + last_key]
        mov     [rip + last_key], rax
        cmp     eax, '\r'
        je      .Lline_done
        cmp     eax, '\n'
        jne     .Lno_newline
        cmp     ecx, '\r'
        je      .Lkey
        jmp     .Lline_done
.Lno_newline:
        cmp     eax, KEY_BACKSPACE
        je      .Lrub_out
        cmp     eax, KEY_DELETE
        je      .Lrub_out
        cmp     eax, KEY_CONTROL_U
        je      .Lrub_line
        cmp     eax, KEY_CONTROL_C
        je      .Lcancel
        cmp     eax, ' '
        jb      .Lkey
        lea     rcx, [rbx + LINE_SIZE - 1]
        cmp     rbp, rcx
        jae     .Lbell
        mov     [rbp], al
        inc     rbp
        mov     edi, eax
.Lecho: call    putchar
        jmp     .Lkey
.Lrub_out:
        cmp     rbp, rbx
        je      .Lbell
        dec     rbp
        lea     rdi, [rip + rub_out]
        call    put_string
        jmp     .Lkey
.Lrub_line:
        cmp     rbp, rbx
        je      .Lkey
        dec     rbp
        lea     rdi, [rip + rub_out]
        call    put_string
        jmp     .Lrub_line
.Lbell: mov     edi, KEY_BELL
        jmp     .Lecho
.Lcancel:
        mov     rbp, rbx
        lea     rdi, [rip + cancelled]
        call    put_string
.Lline_done:
        mov     byte ptr [rbp], 0
        mov     edi, '\n'
        call    putchar
        pop     rbp
        pop     rbx
        ret

command_help:
        push    rbx
        lea     rbx, [rip + commands]
.Lhelp: cmp     dword ptr [rbx + COMMAND_ENTRY], 0
        je      .Lhelped
        lea     rax, [rip + commands]
        movsxd  rsi, dword ptr [rbx + COMMAND_NAME]
        add     rsi, rax
        movsxd  rdx, dword ptr [rbx + COMMAND_HELP]
        add     rdx, rax
        lea     rdi, [rip + help_line]
        call    printf
        add     rbx, COMMAND_SIZE
        jmp     .Lhelp
.Lhelped:
        pop     rbx
        ret

command_uptime:
        call    read_counter
        sub     rax, [rip + boot_time]
        xor     edx, edx
        div     qword ptr [rip + tsc_hz]
        mov     rsi, rax
        imul    rax, rdx, 10
        xor     edx, edx
        div     qword ptr [rip + tsc_hz]
        mov     rdx, rax
        mov     rcx, [rip + ticks]
        lea     rdi, [rip + uptime]
        jmp     printf

command_mem:
        mov     rsi, [rip + ram_size]
        shr     rsi, 12
        mov     rdx, [rip + page_free_count]
        lea     rdi, [rip + mem_pages]
        call    printf
        call    page_self_test
        lea     rdi, [rip + mem_good]
        lea     rcx, [rip + mem_bad]
        test    rax, rax
        cmovnz  rdi, rcx
        mov     esi, TEST_PAGES
        jmp     printf

        # rdi: the rest of the line
command_echo:
        mov     rsi, rdi
        lea     rdi, [rip + echo_line]
        jmp     printf

command_reboot:
        lea     rdi, [rip + rebooting]
        call    printf
        call    reset_machine
        jmp     .Lstill_on
command_poweroff:
        lea     rdi, [rip + powering_off]
        call    printf
        call    power_off
.Lstill_on:
        lea     rdi, [rip + reset_failed]
        xor     esi, esi
        jmp     printf
`;

  (func $region1 (type 0) (param i64 i32) (result i32)
    (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i32 i32 i64 i64 i64 i64 i64 i32 i64 i64 i64 i32 i32 i64 i64 i32 i32 i32)
    (block  ;; label = @1
      (local.set 5
        (i64.load offset=4152
          (i32.const 0)))
      (local.set 6
        (i64.load offset=4128
          (i32.const 0)))
      (if  ;; label = @2
        (i32.lt_s
          (local.get 1)
          (i32.const 2))
        (then
          (local.set 7
            (i64.const 0))
          (br 1 (;@1;))))
      (local.set 8
        (i64.const 0))
      (local.set 9
        (local.get 5))
      (local.set 10
        (i64.const 0))
      (if  ;; label = @2
        (i64.eqz
          (i64.and
            (local.get 9)
            (i64.const 3)))
        (then
          (local.set 13
            (i32.wrap_i64
              (local.tee 12
                (i64.add
                  (local.tee 11
                    (local.get 9))
                  (i64.load offset=669632
                    (i32.and
                      (i32.shr_u
                        (i32.wrap_i64
                          (local.get 11))
                        (i32.const 9))
                      (i32.const 131064)))))))
          (if  ;; label = @3
            (i32.eqz
              (i64.eqz
                (i64.and
                  (local.get 12)
                  (i64.const -33554429))))
            (then
              (if  ;; label = @4
                (i32.eqz
                  (local.tee 14
                    (call 3
                      (local.get 11)
                      (i64.const 0)
                      (i32.const 388))))
                (then
                  (local.set 7
                    (i64.const 0))
                  (br 3 (;@1;))))
              (local.set 13
                (local.get 14))))
          (loop  ;; label = @3
            (local.set 15
              (i64.and
                (local.tee 8
                  (i64.add
                    (local.tee 10
                      (i64.load32_u
                        (local.get 13)))
                    (i64.const 1)))
                (i64.const 4294967295)))
            (br_if 0 (;@3;)
              (i64.ne
                (local.tee 16
                  (i64.atomic.rmw32.cmpxchg_u
                    (local.get 13)
                    (local.get 10)
                    (local.get 15)))
                (local.get 10)))))
        (else
          (if  ;; label = @3
            (i32.eqz
              (i64.eqz
                (i64.and
                  (local.tee 19
                    (i64.add
                      (local.tee 17
                        (local.get 9))
                      (i64.load offset=145344
                        (i32.and
                          (i32.shr_u
                            (i32.wrap_i64
                              (local.get 17))
                            (i32.const 9))
                          (i32.const 131064)))))
                  (i64.const -33554429))))
            (then
              (if  ;; label = @4
                (i32.eqz
                  (local.tee 20
                    (call 3
                      (local.get 17)
                      (i64.const 0)
                      (i32.const 516))))
                (then
                  (local.set 7
                    (i64.const 0))
                  (br 3 (;@1;))))
              (local.set 18
                (i64.load32_u
                  (local.get 20))))
            (else
              (local.set 18
                (i64.load32_u
                  (i32.wrap_i64
                    (local.get 19))))))
          (local.set 21
            (local.get 18))
          (local.set 24
            (i32.wrap_i64
              (local.tee 23
                (i64.add
                  (local.tee 22
                    (local.get 9))
                  (i64.load offset=669632
                    (i32.and
                      (i32.shr_u
                        (i32.wrap_i64
                          (local.get 22))
                        (i32.const 9))
                      (i32.const 131064)))))))
          (if  ;; label = @3
            (i32.eqz
              (i64.eqz
                (i64.and
                  (local.get 23)
                  (i64.const -33554432))))
            (then
              (if  ;; label = @4
                (i32.eqz
                  (local.tee 25
                    (call 3
                      (local.get 22)
                      (i64.const 0)
                      (i32.const 385))))
                (then
                  (local.set 7
                    (i64.const 0))
                  (br 3 (;@1;))))
              (local.set 24
                (local.get 25))))
          (local.set 28
            (i32.wrap_i64
              (local.tee 27
                (i64.add
                  (local.tee 26
                    (i64.add
                      (local.get 9)
                      (i64.const 3)))
                  (i64.load offset=669632
                    (i32.and
                      (i32.shr_u
                        (i32.wrap_i64
                          (local.get 26))
                        (i32.const 9))
                      (i32.const 131064)))))))
          (if  ;; label = @3
            (i32.eqz
              (i64.eqz
                (i64.and
                  (local.get 27)
                  (i64.const -33554432))))
            (then
              (if  ;; label = @4
                (i32.eqz
                  (local.tee 29
                    (call 3
                      (local.get 26)
                      (i64.const 0)
                      (i32.const 385))))
                (then
                  (local.set 7
                    (i64.const 0))
                  (br 3 (;@1;))))
              (local.set 28
                (local.get 29))))
          (loop  ;; label = @3
            (i64.store offset=5248
              (i32.const 0)
              (local.get 21))
            (local.set 8
              (i64.add
                (local.get 21)
                (i64.const 1)))
            (i64.store offset=5264
              (i32.const 0)
              (i64.and
                (local.get 8)
                (i64.const 4294967295)))
            (local.set 30
              (call 2
                (local.get 24)
                (local.get 28)
                (i32.const 4)))
            (local.set 21
              (i64.load32_u offset=5248
                (i32.const 0)))
            (br_if 0 (;@3;)
              (local.get 30)))
          (local.set 10
            (local.get 21))))
      (local.set 2
        (local.get 10))
      (i64.store offset=4288
        (i32.const 0)
        (local.get 2))
      (local.set 3
        (i64.const 1))
      (i64.store offset=4296
        (i32.const 0)
        (local.get 3))
      (local.set 4
        (i64.const 8194))
      (i64.store offset=4592
        (i32.const 0)
        (local.get 4))
      (if  ;; label = @2
        (i32.eqz
          (i64.eqz
            (i64.and
              (local.tee 22
                (i64.add
                  (local.tee 26
                    (local.tee 27
                      (local.get 6)))
                  (i64.load offset=145344
                    (i32.and
                      (i32.shr_u
                        (i32.wrap_i64
                          (local.get 26))
                        (i32.const 9))
                      (i32.const 131064)))))
              (i64.const -33554425))))
        (then
          (if  ;; label = @3
            (i32.eqz
              (local.tee 30
                (call 3
                  (local.get 26)
                  (i64.const 0)
                  (i32.const 8))))
            (then
              (local.set 7
                (i64.const 262145))
              (br 2 (;@1;))))
          (local.set 23
            (i64.load
              (local.get 30))))
        (else
          (local.set 23
            (i64.load
              (i32.wrap_i64
                (local.get 22))))))
      (if  ;; label = @2
        (i64.ne
          (i64.shr_s
            (i64.shl
              (local.get 23)
              (i64.load32_u offset=4412
                (i32.const 0)))
            (i64.load32_u offset=4412
              (i32.const 0)))
          (local.get 23))
        (then
          (local.set 7
            (i64.const 262145))
          (br 1 (;@1;))))
      (local.set 6
        (i64.add
          (local.get 6)
          (i64.const 8)))
      (i64.store offset=4128
        (i32.const 0)
        (local.get 6))
      (local.set 19
        (local.tee 21
          (local.get 23)))
      (block  ;; label = @2
      )
      (if  ;; label = @2
        (i64.eq
          (i64.load offset=6940608
            (local.tee 30
              (i32.and
                (i32.shl
                  (i32.xor
                    (i32.wrap_i64
                      (local.tee 21
                        (local.get 19)))
                    (i32.shr_u
                      (i32.wrap_i64
                        (local.get 21))
                      (i32.const 12)))
                  (i32.const 4))
                (i32.const 65520))))
          (i64.xor
            (local.get 21)
            (i64.load32_u offset=14176
              (i32.const 0))))
        (then
          (return_call_indirect (type 0)
            (local.get 21)
            (i32.sub
              (local.get 1)
              (i32.const 2))
            (i32.load offset=6940616
              (local.get 30)))))
      (i64.store offset=4312
        (i32.const 0)
        (local.get 21))
      (i32.store offset=4324
        (i32.const 0)
        (i32.sub
          (local.get 1)
          (i32.const 2)))
      (return
        (i32.const 0)))
    (i64.store offset=4312
      (i32.const 0)
      (i64.add
        (local.get 0)
        (i64.shr_s
          (local.get 7)
          (i64.const 16))))
    (i32.store offset=4324
      (i32.const 0)
      (i32.sub
        (local.get 1)
        (i32.and
          (i32.wrap_i64
            (local.get 7))
          (i32.const 65535))))
    (return
      (i32.const 1)))

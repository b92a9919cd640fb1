  (func $region1 (type 0) (param i64 i32) (result i32)
    (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i32 i64 i64 i64 i64 i64 i64 i32 i32 i32)
    (block  ;; label = @1
      (local.set 2
        (i64.load offset=4096
          (i32.const 0)))
      (local.set 3
        (i64.load offset=4104
          (i32.const 0)))
      (local.set 4
        (i64.load offset=4144
          (i32.const 0)))
      (local.set 8
        (i64.load offset=4152
          (i32.const 0)))
      (local.set 9
        (i64.load offset=4112
          (i32.const 0)))
      (local.set 10
        (i64.load offset=4128
          (i32.const 0)))
      (if  ;; label = @2
        (i32.lt_s
          (local.get 1)
          (i32.const 5))
        (then
          (local.set 11
            (i64.const 0))
          (br 1 (;@1;))))
      (if  ;; label = @2
        (i64.gt_u
          (i64.and
            (local.tee 16
              (i64.add
                (local.tee 13
                  (local.tee 12
                    (i64.add
                      (i64.add
                        (local.get 4)
                        (i64.shl
                          (local.get 3)
                          (i64.const 3)))
                      (i64.const 16))))
                (i64.load offset=145344
                  (i32.and
                    (i32.shr_u
                      (i32.wrap_i64
                        (local.get 13))
                      (i32.const 9))
                    (i32.const 131064)))))
            (i64.const -33550337))
          (i64.const 4088))
        (then
          (local.set 11
            (i64.const 65536))
          (br 1 (;@1;))))
      (local.set 14
        (i64.load
          (i32.wrap_i64
            (local.get 16))))
      (if  ;; label = @2
        (i32.le_u
          (i32.sub
            (i32.and
              (i32.wrap_i64
                (local.get 13))
              (i32.const 4095))
            (i32.const 128))
          (i32.const 3840))
        (then
          (local.set 15
            (i32.sub
              (i32.wrap_i64
                (local.get 16))
              (i32.const 128))))
        (else
          (local.set 15
            (i32.const 0))))
      (local.set 2
        (local.get 14))
      (i64.store offset=4096
        (i32.const 0)
        (local.get 2))
      (local.set 16
        (i64.and
          (local.get 2)
          (i64.const 4294967295)))
      (if  ;; label = @2
        (i64.gt_u
          (i64.and
            (local.tee 17
              (i64.add
                (local.tee 13
                  (local.tee 14
                    (local.get 8)))
                (i64.load offset=145344
                  (i32.and
                    (i32.shr_u
                      (i32.wrap_i64
                        (local.get 13))
                      (i32.const 9))
                    (i32.const 131064)))))
            (i64.const -33550337))
          (i64.const 4092))
        (then
          (local.set 11
            (i64.const 720897))
          (br 1 (;@1;))))
      (local.set 18
        (i64.extend_i32_u
          (i32.add
            (i32.wrap_i64
              (local.tee 12
                (i64.load32_u
                  (i32.wrap_i64
                    (local.get 17)))))
            (i32.wrap_i64
              (local.get 16)))))
      (local.set 19
        (local.get 14))
      (local.set 20
        (local.get 18))
      (if  ;; label = @2
        (i64.gt_u
          (i64.and
            (local.tee 21
              (i64.add
                (local.get 19)
                (i64.load offset=669632
                  (i32.and
                    (i32.shr_u
                      (i32.wrap_i64
                        (local.get 19))
                      (i32.const 9))
                    (i32.const 131064)))))
            (i64.const -33550337))
          (i64.const 4092))
        (then
          (local.set 11
            (i64.const 720897))
          (br 1 (;@1;))))
      (i64.store32
        (i32.wrap_i64
          (local.get 21))
        (local.get 20))
      (local.set 5
        (local.get 12))
      (i64.store offset=4288
        (i32.const 0)
        (local.get 5))
      (local.set 6
        (local.get 16))
      (i64.store offset=4296
        (i32.const 0)
        (local.get 6))
      (local.set 7
        (i64.const 8194))
      (i64.store offset=4592
        (i32.const 0)
        (local.get 7))
      (if  ;; label = @2
        (i32.eqz
          (i64.eqz
            (i64.and
              (local.tee 18
                (i64.add
                  (local.tee 20
                    (local.tee 21
                      (local.get 4)))
                  (i64.load offset=145344
                    (i32.and
                      (i32.shr_u
                        (i32.wrap_i64
                          (local.get 20))
                        (i32.const 9))
                      (i32.const 131064)))))
              (i64.const -33554432))))
        (then
          (local.set 11
            (i64.const 983042))
          (br 1 (;@1;))))
      (local.set 9
        (local.tee 19
          (i64.load8_u
            (i32.wrap_i64
              (local.get 18)))))
      (i64.store offset=4112
        (i32.const 0)
        (local.get 9))
      (local.set 19
        (local.tee 18
          (i64.add
            (local.get 8)
            (i64.const 4))))
      (local.set 20
        (local.get 9))
      (if  ;; label = @2
        (i64.gt_u
          (i64.and
            (local.tee 21
              (i64.add
                (local.get 19)
                (i64.load offset=669632
                  (i32.and
                    (i32.shr_u
                      (i32.wrap_i64
                        (local.get 19))
                      (i32.const 9))
                    (i32.const 131064)))))
            (i64.const -33550337))
          (i64.const 4094))
        (then
          (local.set 11
            (i64.const 1376259))
          (br 1 (;@1;))))
      (i64.store16
        (i32.wrap_i64
          (local.get 21))
        (local.get 20))
      (if  ;; label = @2
        (i64.gt_u
          (i64.and
            (local.tee 18
              (i64.add
                (local.tee 20
                  (local.tee 21
                    (local.get 10)))
                (i64.load offset=145344
                  (i32.and
                    (i32.shr_u
                      (i32.wrap_i64
                        (local.get 20))
                      (i32.const 9))
                    (i32.const 131064)))))
            (i64.const -33550337))
          (i64.const 4088))
        (then
          (local.set 11
            (i64.const 1900548))
          (br 1 (;@1;))))
      (if  ;; label = @2
        (i64.ne
          (i64.shr_s
            (i64.shl
              (local.tee 19
                (i64.load
                  (i32.wrap_i64
                    (local.get 18))))
              (i64.load32_u offset=4412
                (i32.const 0)))
            (i64.load32_u offset=4412
              (i32.const 0)))
          (local.get 19))
        (then
          (local.set 11
            (i64.const 1835012))
          (br 1 (;@1;))))
      (local.set 10
        (i64.add
          (local.get 10)
          (i64.const 8)))
      (i64.store offset=4128
        (i32.const 0)
        (local.get 10))
      (local.set 12
        (local.tee 17
          (local.get 19)))
      (block  ;; label = @2
      )
      (if  ;; label = @2
        (i64.eq
          (i64.load offset=7172608
            (local.tee 22
              (i32.and
                (i32.shl
                  (i32.xor
                    (i32.wrap_i64
                      (local.tee 17
                        (local.get 12)))
                    (i32.shr_u
                      (i32.wrap_i64
                        (local.get 17))
                      (i32.const 12)))
                  (i32.const 4))
                (i32.const 65520))))
          (i64.xor
            (local.get 17)
            (i64.load32_u offset=14176
              (i32.const 0))))
        (then
          (return_call_indirect (type 0)
            (local.get 17)
            (i32.sub
              (local.get 1)
              (i32.const 5))
            (i32.load offset=7172616
              (local.get 22)))))
      (i64.store offset=4312
        (i32.const 0)
        (local.get 17))
      (i32.store offset=4324
        (i32.const 0)
        (i32.sub
          (local.get 1)
          (i32.const 5)))
      (return
        (i32.const 0)))
    (if  ;; label = @1
      (i32.and
        (i32.wrap_i64
          (local.get 11))
        (i32.const 65536))
      (then
        (local.set 24
          (i32.sub
            (i32.load offset=6642692
              (local.tee 23
                (i32.mul
                  (local.tee 22
                    (i32.const 1))
                  (i32.const 8))))
            (i32.const 1)))
        (i32.store offset=6642692
          (local.get 23)
          (local.get 24))
        (if  ;; label = @2
          (i32.le_s
            (local.get 24)
            (i32.const 0))
          (then
            (i32.store offset=14264
              (i32.const 0)
              (local.get 22))))))
    (i64.store offset=4312
      (i32.const 0)
      (i64.add
        (local.get 0)
        (i64.shr_s
          (local.get 11)
          (i64.const 17))))
    (i32.store offset=4324
      (i32.const 0)
      (i32.sub
        (local.get 1)
        (i32.and
          (i32.wrap_i64
            (local.get 11))
          (i32.const 65535))))
    (return
      (i32.const 1)))

  (func $region1 (type 0) (param i64 i32) (result i32)
    (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i32 i32 i32)
    (block  ;; label = @1
      (local.set 2
        (i64.load offset=4128
          (i32.const 0)))
      (local.set 3
        (i64.load offset=4096
          (i32.const 0)))
      (if  ;; label = @2
        (i32.lt_s
          (local.get 1)
          (i32.const 4))
        (then
          (local.set 7
            (i64.const 0))
          (br 1 (;@1;))))
      (local.set 8
        (i64.add
          (local.get 0)
          (i64.const 5)))
      (local.set 11
        (local.tee 10
          (local.tee 9
            (i64.sub
              (local.get 2)
              (i64.const 8)))))
      (local.set 12
        (local.get 8))
      (if  ;; label = @2
        (i64.gt_u
          (i64.and
            (local.tee 13
              (i64.add
                (local.get 11)
                (i64.load offset=669632
                  (i32.and
                    (i32.shr_u
                      (i32.wrap_i64
                        (local.get 11))
                      (i32.const 9))
                    (i32.const 131064)))))
            (i64.const -33550337))
          (i64.const 4088))
        (then
          (local.set 7
            (i64.const 65536))
          (br 1 (;@1;))))
      (i64.store
        (i32.wrap_i64
          (local.get 13))
        (local.get 12))
      (local.set 2
        (local.get 9))
      (i64.store offset=4128
        (i32.const 0)
        (local.get 2))
      (local.set 3
        (local.tee 12
          (i64.extend_i32_u
            (i32.add
              (i32.wrap_i64
                (local.tee 13
                  (i64.and
                    (local.get 3)
                    (i64.const 4294967295))))
              (i32.const 2)))))
      (i64.store offset=4096
        (i32.const 0)
        (local.get 3))
      (local.set 4
        (local.get 13))
      (i64.store offset=4288
        (i32.const 0)
        (local.get 4))
      (local.set 5
        (i64.const 2))
      (i64.store offset=4296
        (i32.const 0)
        (local.get 5))
      (local.set 6
        (i64.const 8194))
      (i64.store offset=4592
        (i32.const 0)
        (local.get 6))
      (if  ;; label = @2
        (i64.gt_u
          (i64.and
            (local.tee 10
              (i64.add
                (local.tee 13
                  (local.tee 12
                    (local.get 2)))
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
          (local.set 7
            (i64.const 1638402))
          (br 1 (;@1;))))
      (if  ;; label = @2
        (i64.ne
          (i64.shr_s
            (i64.shl
              (local.tee 11
                (i64.load
                  (i32.wrap_i64
                    (local.get 10))))
              (i64.load32_u offset=4412
                (i32.const 0)))
            (i64.load32_u offset=4412
              (i32.const 0)))
          (local.get 11))
        (then
          (local.set 7
            (i64.const 1572866))
          (br 1 (;@1;))))
      (local.set 2
        (i64.add
          (local.get 2)
          (i64.const 8)))
      (i64.store offset=4128
        (i32.const 0)
        (local.get 2))
      (local.set 8
        (local.tee 9
          (local.get 11)))
      (block  ;; label = @2
        (if  ;; label = @3
          (i64.eq
            (local.get 8)
            (i64.add
              (local.get 0)
              (i64.const 5)))
          (then
            (local.set 3
              (local.tee 10
                (i64.extend_i32_u
                  (i32.add
                    (i32.wrap_i64
                      (local.tee 9
                        (local.get 3)))
                    (i32.const 1)))))
            (i64.store offset=4096
              (i32.const 0)
              (local.get 3))
            (local.set 4
              (local.get 9))
            (i64.store offset=4288
              (i32.const 0)
              (local.get 4))
            (local.set 5
              (i64.const 1))
            (i64.store offset=4296
              (i32.const 0)
              (local.get 5))
            (local.set 6
              (i64.const 8194))
            (i64.store offset=4592
              (i32.const 0)
              (local.get 6))
            (i64.store offset=4312
              (i32.const 0)
              (i64.add
                (local.get 0)
                (i64.const 8)))
            (i32.store offset=4324
              (i32.const 0)
              (i32.sub
                (local.get 1)
                (i32.const 4)))
            (return
              (i32.const 0)))))
      (if  ;; label = @2
        (i64.eq
          (i64.load offset=7172608
            (local.tee 14
              (i32.and
                (i32.shl
                  (i32.xor
                    (i32.wrap_i64
                      (local.tee 10
                        (local.get 8)))
                    (i32.shr_u
                      (i32.wrap_i64
                        (local.get 10))
                      (i32.const 12)))
                  (i32.const 4))
                (i32.const 65520))))
          (i64.xor
            (local.get 10)
            (i64.load32_u offset=14176
              (i32.const 0))))
        (then
          (return_call_indirect (type 0)
            (local.get 10)
            (i32.sub
              (local.get 1)
              (i32.const 3))
            (i32.load offset=7172616
              (local.get 14)))))
      (i64.store offset=4312
        (i32.const 0)
        (local.get 10))
      (i32.store offset=4324
        (i32.const 0)
        (i32.sub
          (local.get 1)
          (i32.const 3)))
      (return
        (i32.const 0)))
    (if  ;; label = @1
      (i32.and
        (i32.wrap_i64
          (local.get 7))
        (i32.const 65536))
      (then
        (local.set 16
          (i32.sub
            (i32.load offset=6642692
              (local.tee 15
                (i32.mul
                  (local.tee 14
                    (i32.const 1))
                  (i32.const 8))))
            (i32.const 1)))
        (i32.store offset=6642692
          (local.get 15)
          (local.get 16))
        (if  ;; label = @2
          (i32.le_s
            (local.get 16)
            (i32.const 0))
          (then
            (i32.store offset=14264
              (i32.const 0)
              (local.get 14))))))
    (i64.store offset=4312
      (i32.const 0)
      (i64.add
        (local.get 0)
        (i64.shr_s
          (local.get 7)
          (i64.const 17))))
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

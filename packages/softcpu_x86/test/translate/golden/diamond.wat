  (func $region1 (type 0) (param i64 i32) (result i32)
    (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i32)
    (block  ;; label = @1
      (local.set 5
        (i64.load offset=4096
          (i32.const 0)))
      (local.set 6
        (i64.load offset=4304
          (i32.const 0)))
      (local.set 7
        (i64.load offset=4104
          (i32.const 0)))
      (local.set 8
        (i64.load offset=4120
          (i32.const 0)))
      (local.set 9
        (i64.load offset=4112
          (i32.const 0)))
      (block  ;; label = @2
        (if  ;; label = @3
          (i32.lt_s
            (local.get 1)
            (i32.const 4))
          (then
            (local.set 10
              (i64.const 0))
            (br 2 (;@1;))))
        (local.set 11
          (local.get 5))
        (local.set 12
          (local.get 5))
        (local.set 2
          (local.tee 13
            (i64.and
              (local.get 11)
              (local.get 12))))
        (i64.store offset=4288
          (i32.const 0)
          (local.get 2))
        (local.set 3
          (i64.const 0))
        (i64.store offset=4296
          (i32.const 0)
          (local.get 3))
        (local.set 4
          (i64.const 1))
        (i64.store offset=4592
          (i32.const 0)
          (local.get 4))
        (if  ;; label = @3
          (local.tee 14
            (i64.eq
              (local.get 2)
              (i64.const 0)))
          (then
            (local.set 7
              (local.tee 12
                (i64.add
                  (local.tee 13
                    (local.get 7))
                  (i64.const 1))))
            (i64.store offset=4104
              (i32.const 0)
              (local.get 7))
            (local.set 11
              (i64.shl
                (i64.extend_i32_u
                  (i64.lt_u
                    (local.get 2)
                    (i64.const 0)))
                (i64.const 63)))
            (local.set 2
              (local.get 13))
            (i64.store offset=4288
              (i32.const 0)
              (local.get 2))
            (local.set 3
              (local.get 11))
            (i64.store offset=4296
              (i32.const 0)
              (local.get 3))
            (local.set 4
              (i64.const 9))
            (i64.store offset=4592
              (i32.const 0)
              (local.get 4))
            (local.set 1
              (i32.sub
                (local.get 1)
                (i32.const 3)))
            (br 1 (;@2;))))
        (local.set 8
          (local.tee 12
            (i64.add
              (local.tee 11
                (local.get 8))
              (i64.const 1))))
        (i64.store offset=4120
          (i32.const 0)
          (local.get 8))
        (local.set 13
          (i64.shl
            (i64.extend_i32_u
              (i64.lt_u
                (local.get 2)
                (i64.const 0)))
            (i64.const 63)))
        (local.set 2
          (local.get 11))
        (i64.store offset=4288
          (i32.const 0)
          (local.get 2))
        (local.set 3
          (local.get 13))
        (i64.store offset=4296
          (i32.const 0)
          (local.get 3))
        (local.set 4
          (i64.const 9))
        (i64.store offset=4592
          (i32.const 0)
          (local.get 4))
        (local.set 1
          (i32.sub
            (local.get 1)
            (i32.const 4)))
        (br 0 (;@2;)))
      (if  ;; label = @2
        (i32.lt_s
          (local.get 1)
          (i32.const 1))
        (then
          (local.set 10
            (i64.const 1703936))
          (br 1 (;@1;))))
      (local.set 9
        (local.tee 13
          (i64.add
            (local.get 8)
            (local.get 7))))
      (i64.store offset=4112
        (i32.const 0)
        (local.get 9))
      (i64.store offset=4312
        (i32.const 0)
        (i64.add
          (local.get 0)
          (i64.const 17)))
      (i32.store offset=4324
        (i32.const 0)
        (i32.sub
          (local.get 1)
          (i32.const 1)))
      (return
        (i32.const 0)))
    (i64.store offset=4312
      (i32.const 0)
      (i64.add
        (local.get 0)
        (i64.shr_s
          (local.get 10)
          (i64.const 17))))
    (i32.store offset=4324
      (i32.const 0)
      (i32.sub
        (local.get 1)
        (i32.and
          (i32.wrap_i64
            (local.get 10))
          (i32.const 65535))))
    (return
      (i32.const 1)))

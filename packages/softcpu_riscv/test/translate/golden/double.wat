  (func $region1 (type 0) (param i64 i32) (result i32)
    (local f64 f64 f64 f64 i64 f64 f64 f64 i32 i32 i32 i32 i64 i64)
    (block  ;; label = @1
      (if  ;; label = @2
        (i32.ne
          (i32.load offset=4932
            (i32.const 0))
          (i32.const 0))
        (then
          (local.set 6
            (i64.const 65536))
          (br 1 (;@1;))))
      (if  ;; label = @2
        (i32.ne
          (i32.load offset=4928
            (i32.const 0))
          (i32.const 0))
        (then
          (local.set 6
            (i64.const 65536))
          (br 1 (;@1;))))
      (local.set 3
        (f64.load offset=4696
          (i32.const 0)))
      (local.set 4
        (f64.load offset=4704
          (i32.const 0)))
      (if  ;; label = @2
        (i32.lt_s
          (local.get 1)
          (i32.const 2))
        (then
          (local.set 6
            (i64.const 0))
          (br 1 (;@1;))))
      (local.set 7
        (local.get 3))
      (local.set 8
        (local.get 4))
      (if  ;; label = @2
        (i32.and
          (local.tee 10
            (f64.lt
              (f64.abs
                (local.tee 9
                  (f64.add
                    (local.get 7)
                    (local.get 8))))
              (f64.const inf (;=inf;))))
          (i32.and
            (i32.load offset=4924
              (i32.const 0))
            (i32.const 1)))
        (then
          (local.set 2
            (local.get 9))
          (f64.store offset=4688
            (i32.const 0)
            (local.get 2))
          (i32.store offset=4936
            (i32.const 0)
            (i32.const 1)))
        (else
          (local.set 11
            (local.get 10))
          (if  ;; label = @3
            (local.get 10)
            (then
              (local.set 11
                (local.tee 12
                  (call 0
                    (local.get 7)
                    (local.get 8)
                    (local.get 9))))))
          (if  ;; label = @3
            (local.get 11)
            (then
              (local.set 2
                (local.get 9))
              (f64.store offset=4688
                (i32.const 0)
                (local.get 2))
              (i32.store offset=4936
                (i32.const 0)
                (i32.const 1)))
            (else
              (local.set 6
                (i64.const 0))
              (br 2 (;@1;))))))
      (local.set 14
        (i64.reinterpret_f64
          (local.get 2)))
      (local.set 15
        (i64.reinterpret_f64
          (local.get 2)))
      (local.set 5
        (f64.reinterpret_i64
          (i64.or
            (i64.and
              (local.get 14)
              (i64.const 9223372036854775807))
            (i64.and
              (local.get 15)
              (i64.const -9223372036854775808)))))
      (f64.store offset=4712
        (i32.const 0)
        (local.get 5))
      (i32.store offset=4936
        (i32.const 0)
        (i32.const 1))
      (i64.store offset=4864
        (i32.const 0)
        (i64.add
          (local.get 0)
          (i64.const 8)))
      (i32.store offset=4912
        (i32.const 0)
        (i32.sub
          (local.get 1)
          (i32.const 2)))
      (return
        (i32.const 0)))
    (if  ;; label = @1
      (i32.and
        (i32.wrap_i64
          (local.get 6))
        (i32.const 65536))
      (then
        (local.set 10
          (i32.sub
            (i32.load offset=1253444
              (local.tee 11
                (i32.mul
                  (local.tee 12
                    (i32.const 1))
                  (i32.const 8))))
            (i32.const 1)))
        (i32.store offset=1253444
          (local.get 11)
          (local.get 10))
        (if  ;; label = @2
          (i32.le_s
            (local.get 10)
            (i32.const 0))
          (then
            (i32.store offset=13560
              (i32.const 0)
              (local.get 12))))))
    (i64.store offset=4864
      (i32.const 0)
      (i64.add
        (local.get 0)
        (i64.shr_s
          (local.get 6)
          (i64.const 17))))
    (i32.store offset=4912
      (i32.const 0)
      (i32.sub
        (local.get 1)
        (i32.and
          (i32.wrap_i64
            (local.get 6))
          (i32.const 65535))))
    (return
      (i32.const 1)))

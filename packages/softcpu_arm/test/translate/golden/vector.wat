  (func $region1 (type 0) (param i64 i32) (result i32)
    (local i64 f64 f64 f64 i32 i32 i32 i32 v128 v128 v128 i32)
    (block  ;; label = @1
      (if  ;; label = @2
        (i32.ne
          (i32.load offset=5208
            (i32.const 0))
          (i32.const 0))
        (then
          (local.set 2
            (i64.const 65536))
          (br 1 (;@1;))))
      (if  ;; label = @2
        (i32.ne
          (i32.load offset=5200
            (i32.const 0))
          (i32.const 0))
        (then
          (local.set 2
            (i64.const 65536))
          (br 1 (;@1;))))
      (if  ;; label = @2
        (i32.lt_s
          (local.get 1)
          (i32.const 3))
        (then
          (local.set 2
            (i64.const 0))
          (br 1 (;@1;))))
      (local.set 3
        (f64.load offset=4624
          (i32.const 0)))
      (local.set 4
        (f64.load offset=4640
          (i32.const 0)))
      (if  ;; label = @2
        (i32.and
          (local.tee 6
            (f64.lt
              (f64.abs
                (local.tee 5
                  (f64.add
                    (local.get 3)
                    (local.get 4))))
              (f64.const inf (;=inf;))))
          (i32.ne
            (i32.and
              (i32.load offset=5204
                (i32.const 0))
              (i32.const 16))
            (i32.const 0)))
        (then
          (v128.store offset=4608
            (i32.const 0)
            (f64x2.replace_lane 0
              (i32x4.splat
                (i32.const 0))
              (local.get 5))))
        (else
          (local.set 7
            (local.get 6))
          (if  ;; label = @3
            (local.get 6)
            (then
              (local.set 7
                (local.tee 8
                  (call 1
                    (local.get 3)
                    (local.get 4)
                    (local.get 5))))))
          (if  ;; label = @3
            (local.get 7)
            (then
              (v128.store offset=4608
                (i32.const 0)
                (f64x2.replace_lane 0
                  (i32x4.splat
                    (i32.const 0))
                  (local.get 5))))
            (else
              (local.set 2
                (i64.const 0))
              (br 2 (;@1;))))))
      (local.set 10
        (v128.load offset=4672
          (i32.const 0)))
      (local.set 11
        (v128.load offset=4688
          (i32.const 0)))
      (local.set 12
        (f32x4.mul
          (local.get 10)
          (local.get 11)))
      (if  ;; label = @2
        (i32.and
          (local.tee 8
            (i32.and
              (i32.const 1)
              (i32x4.all_true
                (v128.and
                  (f32x4.lt
                    (f32x4.abs
                      (local.get 12))
                    (f32x4.splat
                      (f32.const inf (;=inf;))))
                  (v128.or
                    (f32x4.gt
                      (f32x4.abs
                        (local.get 12))
                      (f32x4.splat
                        (f32.const 0x1p-126 (;=1.17549e-38;))))
                    (v128.or
                      (f32x4.eq
                        (local.get 10)
                        (i32x4.splat
                          (i32.const 0)))
                      (f32x4.eq
                        (local.get 11)
                        (i32x4.splat
                          (i32.const 0)))))))))
          (i32.ne
            (i32.and
              (i32.load offset=5204
                (i32.const 0))
              (i32.const 16))
            (i32.const 0)))
        (then
          (v128.store offset=4656
            (i32.const 0)
            (local.get 12)))
        (else
          (local.set 7
            (local.get 8))
          (if  ;; label = @3
            (local.get 8)
            (then
              (local.set 7
                (local.tee 6
                  (call 0
                    (local.get 10)
                    (local.get 11)
                    (local.get 12)
                    (i32.const 1))))))
          (if  ;; label = @3
            (local.get 7)
            (then
              (v128.store offset=4656
                (i32.const 0)
                (local.get 12)))
            (else
              (local.set 2
                (i64.const 524289))
              (br 2 (;@1;))))))
      (local.set 12
        (v128.load offset=4720
          (i32.const 0)))
      (local.set 11
        (v128.load offset=4736
          (i32.const 0)))
      (v128.store offset=4704
        (i32.const 0)
        (i8x16.add
          (local.get 12)
          (local.get 11)))
      (i64.store offset=5120
        (i32.const 0)
        (i64.add
          (local.get 0)
          (i64.const 12)))
      (i32.store offset=5168
        (i32.const 0)
        (i32.sub
          (local.get 1)
          (i32.const 3)))
      (return
        (i32.const 0)))
    (if  ;; label = @1
      (i32.and
        (i32.wrap_i64
          (local.get 2))
        (i32.const 65536))
      (then
        (local.set 8
          (i32.sub
            (i32.load offset=700612
              (local.tee 7
                (i32.mul
                  (local.tee 6
                    (i32.const 1))
                  (i32.const 8))))
            (i32.const 1)))
        (i32.store offset=700612
          (local.get 7)
          (local.get 8))
        (if  ;; label = @2
          (i32.le_s
            (local.get 8)
            (i32.const 0))
          (then
            (i32.store offset=6776
              (i32.const 0)
              (local.get 6))))))
    (i64.store offset=5120
      (i32.const 0)
      (i64.add
        (local.get 0)
        (i64.shr_s
          (local.get 2)
          (i64.const 17))))
    (i32.store offset=5168
      (i32.const 0)
      (i32.sub
        (local.get 1)
        (i32.and
          (i32.wrap_i64
            (local.get 2))
          (i32.const 65535))))
    (return
      (i32.const 1)))
